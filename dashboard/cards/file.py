"""A file as pages show it: everything a template needs, computed once, for one person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from dashboard.cards import job as job_card
from executions import policy, tools
from executions.files.actions import UNDO_WINDOW
from executions.files.media_types import AUDIO, IMAGE, VIDEO
from executions.models import File
from executions.models.file import FileOrigin, State
from executions.policy import Action

TYPES = {
    IMAGE: ("Images", "image", "image"),
    VIDEO: ("Videos", "video", "film"),
    AUDIO: ("Sounds", "sound", "audio-lines"),
    "PDF": ("PDFs", "PDF", "file-text"),
    "SLIDESHOW": ("Slideshows", "slideshow", "presentation"),
    "TEXT": ("Texts", "text", "file-text"),
    "LOTTIE": ("Animations", "animation", "sparkles"),
}
SCOPES = {
    "GLOBAL": ("Permanent", "permanent until it is archived"),
    "TEMPORARY": ("Temporary", "temporary: VideoGen may remove it after 24 hours"),
    "PROJECT": ("Project", "belongs to a project"),
    "EXPORT": ("Exports", "export of a project"),
    "ENTITY": ("Entity", "belongs to a character, product or style"),
}
ANALYSES = {
    "UNATTEMPTED": "not started",
    "LOADING": "in progress",
    "FULFILLED": "done",
    "REJECTED": "no result; the file can still be used",
}

# VideoGen keeps a temporary file for at least this long (docs/api-notes.md#temporary-files).
TEMPORARY_LIFETIME = timedelta(hours=24)
# More similar files usually match the words of a search (docs/api-notes.md#file-search).
GOOD_SIMILARITY = 0.7


@dataclass(frozen=True)
class Tile:
    file: File
    user: Any
    similarity: float | None = None

    @property
    def id(self) -> str:
        return str(self.file.pk)

    @property
    def remote_id(self) -> str:
        return self.file.remote_id

    @property
    def url(self) -> str:
        return reverse("file", args=[self.file.pk])

    @property
    def preview_url(self) -> str:
        return reverse("file-preview", args=[self.file.pk])

    @property
    def thumbnail_url(self) -> str:
        return reverse("file-thumbnail", args=[self.file.pk])

    @property
    def download_url(self) -> str:
        return reverse("file-download", args=[self.file.pk])

    @property
    def type(self) -> str:
        return self.file.type

    @property
    def kind(self) -> str:
        """The type as a noun; an unknown type in VideoGen's word."""
        if not self.file.type:
            return "unknown type"
        return TYPES.get(self.file.type, ("", self.file.type.lower().replace("_", " "), ""))[1]

    @property
    def icon(self) -> str:
        return TYPES.get(self.file.type, ("", "", "file"))[2]

    @property
    def name(self) -> str:
        return self.file.display_name or f"Unnamed {self.kind}"

    @property
    def has_picture(self) -> bool:
        """Whether it has a thumbnail."""
        if not self.is_ready:
            return False
        if self.file.gone_at is not None:
            return self.file.copy_type.startswith("image/") or bool(self.file.copy_thumbnail)
        return self.file.type in (IMAGE, VIDEO)

    @property
    def percent(self) -> int | None:
        return None if self.similarity is None else round(100 * self.similarity)

    @property
    def is_good_match(self) -> bool:
        return self.similarity is not None and self.similarity > GOOD_SIMILARITY

    @property
    def who(self) -> str:
        person = self.file.created_by
        if person is None:
            return "external"
        return "you" if person.pk == self.user.pk else person.get_username()

    @property
    def opened_by(self) -> str:
        """The person who made it public; empty if that was done outside Rushes."""
        person = self.file.public_by
        if person is None:
            return ""
        return "you" if person.pk == self.user.pk else person.get_username()

    @property
    def tool(self) -> tools.Tool | None:
        return tools.find(self.file.source_tool) if self.file.source_tool else None

    @property
    def origin(self) -> str:
        """How the file came into the library, as text."""
        if self.file.origin == FileOrigin.UPLOAD:
            return f"uploaded by {self.who}"
        if self.file.origin != FileOrigin.RESULT and self.tool is None:
            return "imported from the account"
        by_a_person = self.file.origin == FileOrigin.RESULT and self.file.created_by is not None
        made = f"made by {self.who}" if by_a_person else "made outside Rushes"
        return f"{made} with “{self.tool.label}”" if self.tool else made

    @property
    def is_uploading(self) -> bool:
        return self.file.state == State.UPLOADING

    @property
    def is_processing(self) -> bool:
        return self.file.state == State.PROCESSING

    @property
    def is_ready(self) -> bool:
        return self.file.state == State.READY

    @property
    def is_failed(self) -> bool:
        return self.file.state == State.FAILED

    @property
    def is_temporary(self) -> bool:
        return self.file.scope == "TEMPORARY"

    @property
    def has_copy(self) -> bool:
        return self.file.copied_at is not None

    @property
    def is_gone(self) -> bool:
        """Whether neither VideoGen nor Rushes has the content any longer: only its record remains."""
        return self.file.gone_at is not None and self.file.copied_at is None

    @property
    def removed_from(self) -> datetime | None:
        """When VideoGen may begin to remove it; None for a permanent file."""
        return self.file.created_at + TEMPORARY_LIFETIME if self.is_temporary else None

    @property
    def time_left(self) -> str:
        """How long VideoGen keeps it for certain, in hours or minutes; empty for a permanent file."""
        if self.removed_from is None:
            return ""
        minutes = max(0, int((self.removed_from - timezone.now()).total_seconds() // 60))
        return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"

    @property
    def may_be_removed(self) -> bool:
        return self.removed_from is not None and self.removed_from <= timezone.now()

    @property
    def is_public(self) -> bool:
        return self.file.public_since is not None

    @property
    def is_archived(self) -> bool:
        return self.file.archived_at is not None

    @property
    def undo_until(self) -> datetime | None:
        """Until when archiving can be undone without a trace at VideoGen, which has not received it yet; None if it has."""
        if self.file.archived_at is None or self.file.archive_reported_at is not None:
            return None
        return self.file.archived_at + UNDO_WINDOW

    @property
    def scope(self) -> str:
        return SCOPES.get(self.file.scope, ("", self.file.scope.lower()))[1]

    @property
    def analysis(self) -> str:
        state = self.file.analysis_state
        if not state:
            return "none: temporary files are not analysed" if self.is_temporary else "not reported"
        return ANALYSES.get(state, state.lower())

    @property
    def is_analysed(self) -> bool:
        return self.file.analysis_state in ("FULFILLED", "REJECTED") or self.is_temporary

    @property
    def is_awaiting_description(self) -> bool:
        """Whether VideoGen is analysing it, and has not described it yet."""
        return self.file.analysis_state == "LOADING" and not self.file.description

    @property
    def is_moving(self) -> bool:
        """Whether its page should refresh, because its state is still changing."""
        if self.is_uploading or self.is_processing:
            return True
        return self.file.origin == FileOrigin.UPLOAD and self.file.next_poll_at is not None

    @property
    def uses(self) -> list[tuple[str, str, str]]:
        usable = self.is_ready and self.file.gone_at is None
        return job_card.uses(self.file.type, self.file.remote_id) if usable else []

    @property
    def may_act(self) -> bool:
        return may_act(self.user, self.file)

    @property
    def may_be_public(self) -> bool:
        return public_reason(self.file) == ""

    @property
    def public_reason(self) -> str:
        return public_reason(self.file)


def may_act(user: Any, file: File) -> bool:
    """Whether the user may archive or publish the file: its owner and admins. Without an owner, only admins."""
    return policy.can(user, Action.FILE_ARCHIVE, file)


def public_reason(file: File) -> str:
    """Why a file cannot be made public; empty if it can."""
    if file.state != State.READY:
        return "Only ready files can be made public."
    if settings.VIDEOGEN_API_ERA == "0.0" and file.type not in (VIDEO, AUDIO):
        return "Images can’t be made public on your API version."
    return ""


def tiles_for(user: Any, files: Iterable[File]) -> list[Tile]:
    return [Tile(file, user) for file in files]
