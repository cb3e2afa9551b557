"""The stored records: executions, files, workflow runs, imports, webhook endpoints and webhook messages."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

FINAL = frozenset({"succeeded", "failed", "cancelled"})
"""Statuses that never change (docs/api-notes.md#statuses)."""

HIDDEN, LISTED, EXPORTED = 0, 1, 2
"""Whether lists contain a record: never, always, or only when exports are requested."""

Json = dict[str, Any]

# Fields that are stored under their name in version 0.1.0.
_STORED_NAMES = {
    "cancel_requested_at": "cancel_asked_at",
    "pending_description": "findings",
    "pending_transcript": "heard",
}
_FIELD_NAMES = {stored: name for name, stored in _STORED_NAMES.items()}


@dataclass
class Record:
    """A record with an id. The store saves it as JSON and lists it by rank, highest first."""

    table: ClassVar[str]

    id: str
    owner: str = ""
    created_at: float = field(default_factory=time.time)

    @property
    def rank(self) -> float:
        return self.created_at

    @property
    def listed(self) -> int:
        return LISTED

    @property
    def state(self) -> str:
        return ""

    def as_json(self) -> Json:
        return {_STORED_NAMES.get(name, name): value for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        return cls(**{_FIELD_NAMES.get(name, name): value for name, value in data.items()})


@dataclass
class Execution(Record):
    """One job. ``request``: the accepted inputs. ``results``: id and type of each result file."""

    table: ClassVar[str] = "executions"

    tool: str = ""
    tool_type: str = ""
    request: Json = field(default_factory=dict)
    status: str = "pending"
    attempt: int = 0
    progress: float = 0.0
    ended_at: float | None = None
    cancel_requested_at: float | None = None
    results: list[Json] = field(default_factory=list)
    error: Json | None = None
    signed_until: float | None = None

    @property
    def state(self) -> str:
        return self.status

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


@dataclass
class Rendition:
    """One form of a file. ``name``: its file name in the media folder of the file."""

    status: str
    name: str | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None


INCOMING = "incoming"
"""File name of uploaded bytes in the media folder until they are processed."""
RENDITIONS = ("thumbnail", "preview", "download", "hls")


@dataclass
class File(Record):
    """A media file. ``hydrated_until``: expiry of the URLs that hydrate signed last, None if it was never called."""

    table: ClassVar[str] = "files"

    type: str | None = None
    scope: str = "GLOBAL"
    display_name: str = ""
    description: str | None = None
    duration: float | None = None
    transcript: str | None = None
    language: str | None = None
    updated_at: float = field(default_factory=time.time)
    renditions: dict[str, Rendition | None] = field(default_factory=dict)
    hydrated_until: float | None = None
    source_tool: str | None = None
    source_execution: str | None = None
    pending_description: str | None = None
    """The description that analysis will set."""
    pending_transcript: str | None = None
    """The transcript that analysis will set, for uploads only."""
    analysis: str = "UNATTEMPTED"
    analysis_attempt: int = 0
    archived: bool = False
    public_since: float | None = None
    upload: str | None = None
    """For uploads only: ``waiting`` for the bytes, ``received``, ``completed`` or ``failed``."""

    @property
    def rank(self) -> float:
        return self.updated_at

    @property
    def listed(self) -> int:
        if self.archived or self.upload == "waiting":
            return HIDDEN
        return EXPORTED if self.scope == "EXPORT" else LISTED

    @property
    def state(self) -> str:
        return "RECEIVED" if self.upload == "received" else self.analysis

    @property
    def is_ready(self) -> bool:
        return self.upload in (None, "completed")

    @classmethod
    def from_json(cls, data: Json) -> Self:
        renditions = {
            name: None if value is None else Rendition(**value) for name, value in data["renditions"].items()
        }
        return super().from_json({**data, "renditions": renditions})

    def rendition(self, name: str) -> Rendition | None:
        return self.renditions.get(name)


@dataclass
class Workflow(Record):
    """One workflow run. ``export`` and ``export_file`` are set once its video has been rendered."""

    table: ClassVar[str] = "workflows"

    kind: str = ""
    request: Json = field(default_factory=dict)
    status: str = "pending"
    attempt: int = 0
    progress: float = 0.0
    ended_at: float | None = None
    error: Json | None = None
    project: str = ""
    remix_actions: list[str] = field(default_factory=list)
    export: str | None = None
    export_file: str | None = None

    @property
    def state(self) -> str:
        return self.status


@dataclass
class Import(Record):
    """One import from a URL. Once ``file`` is set, the state of the file counts."""

    table: ClassVar[str] = "imports"

    request: Json = field(default_factory=dict)
    status: str = "pending"
    file: str | None = None
    error: Json | None = None

    @property
    def state(self) -> str:
        return self.status


@dataclass
class Endpoint(Record):
    """A webhook endpoint. Its secret is shown once, on creation."""

    table: ClassVar[str] = "endpoints"

    url: str = ""
    events: list[str] = field(default_factory=list)
    description: str | None = None
    secret: str = ""


@dataclass
class Message(Record):
    """One event for one endpoint. ``status``: waiting, held, delivered, dropped or gone (endpoint deleted)."""

    table: ClassVar[str] = "messages"

    endpoint: str = ""
    url: str = ""
    event: str = ""
    body: str = ""
    status: str = "waiting"
    attempts: list[Json] = field(default_factory=list)
    due_at: float = 0.0

    @property
    def state(self) -> str:
        return self.status
