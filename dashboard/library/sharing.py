"""The public preview of a file: its addresses and embed code, and the form that publishes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django import forms
from django.utils import timezone
from django.utils.html import format_html

from executions.files.media_types import AUDIO, IMAGE
from executions.models import File
from executions.videogen import RemoteFile

DEFAULT_DAYS = 30
MAX_DAYS = 366 * 5


@dataclass(frozen=True)
class EmbedSnippet:
    id: str
    label: str
    code: str


class Sharing:
    """The public preview as VideoGen last reported it. Its addresses do not expire."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.wire = RemoteFile.from_wire(file.snapshot) if file.snapshot.get("fileId") else None

    @property
    def is_on(self) -> bool:
        return self.file.public_since is not None

    @property
    def playback_id(self) -> str:
        return (self.wire.public_playback_id or "") if self.wire else ""

    @property
    def hls_url(self) -> str:
        return (self.wire.public_hls_url or "") if self.wire else ""

    @property
    def static_url(self) -> str:
        source = self.wire.public_preview if self.wire else None
        return (source.url or "") if source else ""

    @property
    def has_address(self) -> bool:
        """Whether VideoGen has reported an address; it may follow after the confirmation."""
        return bool(self.hls_url or self.static_url)

    @property
    def default_until(self) -> str:
        return (timezone.now() + timedelta(days=DEFAULT_DAYS)).date().isoformat()

    @property
    def until_value(self) -> str:
        until = self.file.public_until
        return until.date().isoformat() if until else ""

    @property
    def snippets(self) -> list[EmbedSnippet]:
        """Embed code for other pages."""
        found = []
        html = self._html()
        if html:
            found.append(EmbedSnippet("html", "HTML", html))
        if self.playback_id:
            found.append(EmbedSnippet("player", "VideoGen’s player (npm: @videogen/player)", self._player()))
        return found

    def _html(self) -> str:
        name = self.file.display_name
        if self.file.type == IMAGE:
            return format_html('<img src="{}" alt="{}">', self.static_url, name) if self.static_url else ""
        tag = "audio" if self.file.type == AUDIO else "video"
        sources = []
        if self.hls_url:
            sources.append(
                format_html('  <source src="{}" type="application/vnd.apple.mpegurl">', self.hls_url)
            )
        if self.static_url:
            sources.append(format_html('  <source src="{}">', self.static_url))
        if not sources:
            return ""
        opening = format_html(f'<{tag} controls playsinline preload="metadata" title="{{}}">', name)
        return "\n".join([opening, *sources, f"</{tag}>"])

    def _player(self) -> str:
        options = json.dumps({"publicPlaybackId": self.playback_id})
        return "\n".join(
            (
                '<div id="videogen-player"></div>',
                '<script type="module">',
                '  import { createVideoGenPlayer } from "@videogen/player"',
                f'  createVideoGenPlayer(document.getElementById("videogen-player"), {options})',
                "</script>",
            )
        )


class PublishForm(forms.Form):
    """The end date of the preview, and the confirmation."""

    until = forms.DateField(
        required=False,
        error_messages={"invalid": "Enter a date as 2026-12-31, or leave it empty."},
    )
    sure = forms.BooleanField(
        error_messages={"required": "Please confirm that anyone with the link can view it."}
    )

    def clean_until(self) -> datetime | None:
        """The last minute of that day (UTC), when the preview is withdrawn."""
        day: date | None = self.cleaned_data["until"]
        if day is None:
            return None
        today = timezone.now().date()
        if day < today:
            raise forms.ValidationError("That day has passed. Choose a later one.")
        if day > today + timedelta(days=MAX_DAYS):
            raise forms.ValidationError("That is more than five years away. Leave it empty for no end date.")
        return datetime.combine(day, time(23, 59), tzinfo=UTC)
