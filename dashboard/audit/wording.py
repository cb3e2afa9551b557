"""Describes each audit entry as a sentence, with the object that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from dashboard.cards.sources import SOURCE_LABELS
from executions import statuses, tools
from executions.models import Event
from executions.models.event import ActKind, FileKind, Kind, Source

KIND_GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sign-ins": ("sign-ins", (ActKind.SIGNED_IN, ActKind.SIGN_IN_FAILED, ActKind.SIGNED_OUT)),
    "people": (
        "people and roles",
        (
            *(ActKind.INVITED, ActKind.INVITATION_WITHDRAWN, ActKind.JOINED),
            *(ActKind.ROLE_CHANGED, ActKind.DEACTIVATED, ActKind.REACTIVATED),
        ),
    ),
    "looking": (
        "downloads and exports",
        (FileKind.DOWNLOADED, FileKind.LINK_COPIED, ActKind.EXPORTED, ActKind.EVIDENCE_TAKEN),
    ),
    "files": (
        "files",
        (
            *(FileKind.UPLOADED, FileKind.ARCHIVED, FileKind.RESTORED),
            *(FileKind.PUBLISHED, FileKind.WITHDRAWN, FileKind.COPIED),
        ),
    ),
    "batches": ("batches", (ActKind.BATCH_STARTED, ActKind.BATCH_UNDONE, ActKind.BATCH_CANCELLED)),
    "webhooks": (
        "webhooks",
        (ActKind.ENDPOINT_CREATED, ActKind.ENDPOINT_ROTATED, ActKind.ENDPOINT_DELETED, ActKind.REPLAYED),
    ),
    "settings": (
        "settings and audit log",
        (
            *(ActKind.SETTING_CHANGED, ActKind.QUEUE_PAUSED, ActKind.QUEUE_RESUMED),
            *(ActKind.DAY_RECONCILED, ActKind.PRUNED),
        ),
    ),
    "jobs": ("jobs", tuple(Kind)),
}

# Highlighted on the page.
ALARMING = {ActKind.SIGN_IN_FAILED, ActKind.DEACTIVATED, Kind.CANCEL_REFUSED, ActKind.PRUNED}
KIND_TEXTS: dict[str, str] = {
    FileKind.UPLOADED: "uploaded a file",
    FileKind.ARCHIVED: "archived a file",
    FileKind.RESTORED: "restored a file",
    FileKind.PUBLISHED: "made a file public",
    FileKind.WITHDRAWN: "withdrew a public preview",
    FileKind.COPIED: "stored a copy of a file",
    FileKind.DOWNLOADED: "downloaded a file",
    FileKind.LINK_COPIED: "copied a public link",
    ActKind.SIGNED_IN: "signed in",
    ActKind.SIGN_IN_FAILED: "Sign-in failed",
    ActKind.SIGNED_OUT: "signed out",
    ActKind.INVITED: "created an invitation",
    ActKind.INVITATION_WITHDRAWN: "withdrew an invitation",
    ActKind.JOINED: "joined",
    ActKind.ROLE_CHANGED: "changed a role",
    ActKind.DEACTIVATED: "deactivated a person",
    ActKind.REACTIVATED: "reactivated a person",
    ActKind.ENDPOINT_CREATED: "registered a webhook endpoint",
    ActKind.ENDPOINT_ROTATED: "rotated a webhook secret",
    ActKind.ENDPOINT_DELETED: "deleted a webhook endpoint",
    ActKind.REPLAYED: "replayed deliveries",
    ActKind.BATCH_STARTED: "started a batch",
    ActKind.BATCH_UNDONE: "undid a batch",
    ActKind.BATCH_CANCELLED: "cancelled a batch",
    ActKind.QUEUE_PAUSED: "paused the queue",
    ActKind.QUEUE_RESUMED: "resumed the queue",
    ActKind.EXPORTED: "exported",
    ActKind.EVIDENCE_TAKEN: "exported the evidence of a job",
    ActKind.SETTING_CHANGED: "changed a setting",
    ActKind.DAY_RECONCILED: "reconciled a day",
    ActKind.PRUNED: "pruned the audit log",
    Kind.SENT: "sent a job to VideoGen",
    Kind.POSTPONED: "postponed a job",
    Kind.ATTEMPT: "started another attempt",
    Kind.CANCEL_REQUESTED: "requested to cancel a job",
    Kind.CANCEL_NOTED: "accepted a cancel request",
    Kind.CANCEL_REFUSED: "was denied cancelling another person’s job",
    Kind.PAUSED: "paused a job",
    Kind.RESUMED: "resumed a job",
    Kind.MOVED_TO_FRONT: "moved a job to the front",
    Kind.EDITED: "edited a job",
    Kind.COMMENTED: "commented on a job",
}
SUBJECT_URLS = {
    "batch": "batch",
    "execution": "execution",
    "user": "people",
    "invitation": "people",
    "webhookendpoint": "webhooks",
}
# Objects whose events can be found by their id alone.
FOUND_BY_ID = ("job", "file", "batch", "execution")


@dataclass(frozen=True)
class AuditEntry:
    """One event, as the page and the exports show it."""

    event: Event

    @property
    def at(self) -> datetime:
        return self.event.recorded_at

    @property
    def was_reported_late(self) -> bool:
        """Whether it was recorded more than a second after it happened, or before."""
        return abs(self.event.recorded_at - self.event.occurred_at) > timedelta(seconds=1)

    @property
    def who(self) -> str:
        """The person, or else Rushes or VideoGen, whichever acted or reported it. Empty for a failed sign-in."""
        if self.event.actor is not None:
            return self.event.actor.get_username()
        if self.event.kind == ActKind.SIGN_IN_FAILED:
            return ""
        is_ours = self.event.source in (Source.SYSTEM, Source.PERSON)
        return SOURCE_LABELS[Source.SYSTEM] if is_ours else "VideoGen"

    @property
    def what(self) -> str:
        event = self.event
        if event.kind == Kind.STARTED:
            return self._started()
        if event.kind == Kind.STATUS:
            return self._status()
        return KIND_TEXTS.get(event.kind, event.kind)

    def _started(self) -> str:
        detail = self.event.detail
        if detail.get("knowingly"):
            return "re-ran an unconfirmed job, accepting that it may run twice"
        if detail.get("origin") == "elsewhere":
            return "imported an external job"
        return "ran a job again" if detail.get("again") else "started a job"

    def _status(self) -> str:
        event = self.event
        if event.from_status == statuses.UNCONFIRMED and event.detail.get("remote_id"):
            return "linked an unconfirmed job to a job at VideoGen"
        if event.source == Source.PERSON and event.to_status == statuses.CANCELLED:
            return "cancelled a job before it was sent"
        return f"reported a job as {statuses.badge(event.to_status).label}"

    @property
    def group(self) -> str:
        return next((name for name, (_, kinds) in KIND_GROUPS.items() if self.event.kind in kinds), "")

    @property
    def is_alarming(self) -> bool:
        return self.event.kind in ALARMING

    @property
    def source(self) -> str:
        return SOURCE_LABELS[Source(self.event.source)]

    @property
    def object_name(self) -> str:
        event = self.event
        if event.execution is not None:
            return event.execution.prompt or tools.find(event.execution.tool).label
        if event.file is not None:
            return event.file.display_name or "Unnamed file"
        return event.subject_name

    @property
    def object_kind(self) -> str:
        if self.event.execution_id is not None or self.event.subject_type == "execution":
            return "job"
        return "file" if self.event.file_id is not None else self.event.subject_type

    @property
    def object_id(self) -> str:
        return str(self.event.execution_id or self.event.file_id or self.event.subject_id)

    @property
    def object_key(self) -> str:
        """The value of the About filter that finds all events of this object."""
        if self.object_kind in FOUND_BY_ID:
            return self.object_id
        return f"{self.object_kind}:{self.object_id}" if self.object_id else ""

    @property
    def object_url(self) -> str:
        event = self.event
        if event.execution_id is not None:
            return reverse("execution", args=[event.execution_id])
        if event.file_id is not None:
            return reverse("file", args=[event.file_id])
        name = SUBJECT_URLS.get(event.subject_type, "")
        return (
            reverse(name, args=[event.subject_id] if name in ("batch", "execution") else []) if name else ""
        )

    @property
    def change(self) -> tuple[str, str] | None:
        """(before, after) as text; None if nothing changed."""
        event = self.event
        if "before" in event.detail or "after" in event.detail:
            return to_text(event.detail.get("before")), to_text(event.detail.get("after"))
        if event.from_status != event.to_status and event.from_status:
            return statuses.badge(event.from_status).label, statuses.badge(event.to_status).label
        return None

    @property
    def details(self) -> list[tuple[str, str]]:
        """The other details, as (name, value)."""
        others = {name: value for name, value in self.event.detail.items() if name not in ("before", "after")}
        return [
            (name.replace("_", " "), to_text(value))
            for name, value in others.items()
            if value not in (None, "")
        ]


def to_text(value: Any) -> str:
    """A JSON value as text."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name}: {to_text(each)}" for name, each in value.items()) or "none"
        case list():
            return ", ".join(to_text(each) for each in value) or "none"
    return str(value)
