"""The objects in responses and events: immutable, parsed leniently, with the original data in `raw`.

`from_wire` raises MalformedResponse if an essential field is missing; all other fields may be missing or of the wrong
type, in the shape of any API version (docs/api-notes.md#reading-responses). Neither `raw` nor signed URLs are in the
repr.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from executions.videogen import wire_fields
from executions.videogen.errors import MalformedResponse

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})


def object_of(data: Any, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise MalformedResponse(f"VideoGen's response is not {what}.")
    return data


def required_id(data: dict[str, Any], what: str, *names: str) -> str:
    value = wire_fields.identifier(*(data.get(name) for name in names))
    if value is None:
        raise MalformedResponse(f"VideoGen's response lacks the id of {what}.", raw=data)
    return value


@dataclass(frozen=True)
class ApiError:
    """VideoGen's reason for the failure of an execution (docs/api-notes.md#errors)."""

    message: str
    code: str | None = None
    requirement: dict[str, Any] | None = None
    internal_error_code: str | None = None

    @classmethod
    def from_wire(cls, data: Any) -> Self | None:
        """None if there is no error. Never raises."""
        if isinstance(data, str) and data.strip():
            data = {"message": data}
        if not isinstance(data, dict) or not data:
            return None
        return cls(
            message=(wire_fields.text(data.get("message")) or "").strip() or "VideoGen gave no reason.",
            code=wire_fields.text(data.get("code")),
            requirement=wire_fields.mapping(data.get("requirement")) or None,
            internal_error_code=wire_fields.text(data.get("internalErrorCode")),
        )


@dataclass(frozen=True)
class FileSource:
    """One rendition of a file (docs/api-notes.md#files). `expires_at` None means that the URL does not expire."""

    status: str
    url: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    width: int | None = None
    height: int | None = None
    file_bytes: int | None = None

    @classmethod
    def from_wire(cls, data: Any, *, flat_url: Any = None, flat_expires_at: Any = None) -> Self | None:
        """None if there is no such rendition. API version 2 also sends flat URL fields, with or without the object."""
        rendition = wire_fields.mapping(data)
        address, expires_at = wire_fields.url(rendition.get("url")), rendition.get("expiresAt")
        status = wire_fields.enum_value(rendition.get("status"))
        if address is None and (address := wire_fields.url(flat_url)) is not None:
            status, expires_at = "ready", flat_expires_at
        if not rendition and address is None:
            return None
        return cls(
            status=status,
            url=address,
            expires_at=wire_fields.expiry(expires_at),
            width=wire_fields.integer(rendition.get("width"), low=1),
            height=wire_fields.integer(rendition.get("height"), low=1),
            file_bytes=wire_fields.size(rendition.get("fileBytes")),
        )

    def usable_url(self, now: datetime, margin: float = 60) -> str | None:
        """The URL, if it is still valid in `margin` seconds; None if the file has to be hydrated."""
        if self.status != "ready" or self.url is None:
            return None
        is_valid = self.expires_at is None or self.expires_at - now > timedelta(seconds=margin)
        return self.url if is_valid else None


@dataclass(frozen=True)
class RemoteFile:
    """A file as VideoGen reports it, in a response or an event. Its URLs expire; hydrating it gives new ones."""

    file_id: str
    type: str = ""
    """IMAGE, VIDEO, AUDIO or a new type; empty until VideoGen has determined it."""
    scope: str = ""
    display_name: str = ""
    description: str = ""
    duration: float | None = None
    """Seconds."""
    transcript: str = ""
    thumbnail: FileSource | None = None
    preview: FileSource | None = None
    download: FileSource | None = None
    hls: FileSource | None = None
    is_public_preview_enabled: bool = False
    public_preview: FileSource | None = None
    public_hls_url: str | None = None
    public_playback_id: str | None = None
    source_tool_type: str = ""
    source_execution_id: str | None = None
    analysis_state: str = ""
    analysis_progress: float | None = None
    """Percent."""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "a file")
        analysis = wire_fields.mapping(data.get("fileAnalysisMetadata"))
        return cls(
            file_id=required_id(data, "the file", "fileId", "storageFileId"),
            type=wire_fields.enum_value(data.get("type")),
            scope=wire_fields.enum_value(data.get("scope")),
            display_name=wire_fields.text(data.get("displayName")) or "",
            description=wire_fields.text(data.get("description")) or "",
            duration=wire_fields.number(data.get("durationSeconds")),
            transcript=_transcript(data),
            thumbnail=FileSource.from_wire(
                data.get("thumbnailSource"),
                flat_url=data.get("thumbnailUrl"),
                flat_expires_at=data.get("thumbnailUrlExpiresAt"),
            ),
            preview=FileSource.from_wire(data.get("previewSource")),
            download=FileSource.from_wire(
                data.get("downloadSource"),
                flat_url=data.get("downloadUrl"),
                flat_expires_at=data.get("downloadUrlExpiresAt"),
            ),
            hls=FileSource.from_wire(data.get("hlsSource")),
            is_public_preview_enabled=wire_fields.flag(data.get("isPublicPreviewEnabled")),
            public_preview=FileSource.from_wire(data.get("staticPublicPreviewSource")),
            public_hls_url=wire_fields.url(data.get("publicHlsUrl")),
            public_playback_id=wire_fields.identifier(data.get("publicPlaybackId")),
            source_tool_type=wire_fields.enum_value(data.get("sourceToolType"), wire_fields.MAX_NAME_LENGTH),
            source_execution_id=wire_fields.identifier(data.get("sourceToolExecutionId")),
            analysis_state=wire_fields.enum_value(analysis.get("analysisLoadingState")),
            analysis_progress=wire_fields.number(analysis.get("analysisProgressPercentage"), high=100),
            raw=data,
        )

    @property
    def sources(self) -> tuple[FileSource, ...]:
        return tuple(source for source in (self.thumbnail, self.preview, self.download, self.hls) if source)

    @property
    def is_ready(self) -> bool:
        """Whether at least one rendition can be used (docs/api-notes.md#files)."""
        return any(source.status == "ready" for source in self.sources)

    @property
    def is_failed(self) -> bool:
        return not self.is_ready and any(source.status == "failed" for source in self.sources)


def _transcript(data: dict[str, Any]) -> str:
    """From `transcriptText`, from `transcript` as text (until API version 1.1), or from the timed words of version 2."""
    plain = wire_fields.text(data.get("transcriptText")) or wire_fields.text(data.get("transcript"))
    if plain is not None:
        return plain
    timed = wire_fields.mappings(wire_fields.mapping(data.get("transcript")).get("words"))
    return " ".join(word for entry in timed if (word := wire_fields.text(entry.get("word"))))


@dataclass(frozen=True)
class ToolResult:
    """One result of a tool. In API version 2, `download` and `thumbnail` are present even without `file`."""

    file_id: str
    type: str = ""
    file: RemoteFile | None = None
    download: FileSource | None = None
    thumbnail: FileSource | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "a result")
        file = optional(RemoteFile.from_wire, data.get("file"))
        file_id = wire_fields.identifier(data.get("fileId"), data.get("storageFileId"), file and file.file_id)
        if file_id is None:
            raise MalformedResponse("VideoGen's response lacks the id of a result's file.", raw=data)
        nested = wire_fields.mapping(data.get("file"))
        return cls(
            file_id=file_id,
            type=wire_fields.enum_value(data.get("type")) or (file.type if file else ""),
            file=file,
            download=FileSource.from_wire(
                data.get("downloadSource") or nested.get("downloadSource"),
                flat_url=data.get("downloadUrl") or nested.get("downloadUrl"),
                flat_expires_at=data.get("downloadUrlExpiresAt") or nested.get("downloadUrlExpiresAt"),
            ),
            thumbnail=FileSource.from_wire(
                data.get("thumbnailSource") or nested.get("thumbnailSource"),
                flat_url=data.get("thumbnailUrl") or nested.get("thumbnailUrl"),
                flat_expires_at=data.get("thumbnailUrlExpiresAt") or nested.get("thumbnailUrlExpiresAt"),
            ),
            raw=data,
        )


def optional[T](parse: Callable[[Any], T], data: Any) -> T | None:
    try:
        return parse(data)
    except MalformedResponse:
        return None


def all_of[T](parse: Callable[[Any], T], data: Any) -> tuple[T, ...]:
    """The entries of a list that can be parsed; the others are only in the `raw` of the containing object."""
    parsed = (optional(parse, item) for item in wire_fields.mappings(data))
    return tuple(item for item in parsed if item is not None)


@dataclass(frozen=True)
class ToolAccepted:
    """VideoGen accepted a job, or a request to cancel it."""

    execution_id: str
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    request_id: str | None = None

    @classmethod
    def from_wire(cls, data: Any, request_id: str | None = None) -> Self:
        data = object_of(data, "an accepted job")
        return cls(required_id(data, "the job", "toolExecutionId"), data, request_id)


@dataclass(frozen=True)
class ToolExecution:
    """A job as VideoGen reports it. An unknown `status` is not final."""

    execution_id: str
    status: str
    tool_type: str = ""
    progress: float | None = None
    """Percent of the current attempt; it may drop when a new attempt starts. None if it is not reported."""
    attempt: int | None = None
    results: tuple[ToolResult, ...] = ()
    error: ApiError | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "an execution")
        status = wire_fields.enum_value(data.get("status"), wire_fields.MAX_NAME_LENGTH)
        if not status:
            raise MalformedResponse("VideoGen's response lacks the execution's status.", raw=data)
        return cls(
            execution_id=required_id(data, "the execution", "toolExecutionId"),
            status=status,
            tool_type=wire_fields.enum_value(data.get("toolType"), wire_fields.MAX_NAME_LENGTH),
            progress=wire_fields.number(data.get("progressPercentage"), high=100),
            attempt=wire_fields.integer(data.get("attemptIndex")),
            results=all_of(ToolResult.from_wire, data.get("results")),
            error=ApiError.from_wire(data.get("error")),
            raw=data,
        )

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True)
class SearchHit:
    """A search result. `similarity` is 0 to 1; above 0.7 is usually a good match (docs/api-notes.md#file-search)."""

    similarity: float
    file: RemoteFile

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "a hit")
        return cls(
            wire_fields.number(data.get("similarity"), high=1) or 0.0, RemoteFile.from_wire(data.get("file"))
        )

    @classmethod
    def all_from_wire(cls, data: Any) -> list[Self]:
        return list(all_of(cls.from_wire, object_of(data, "a list of hits").get("results")))


@dataclass(frozen=True)
class FileUpload:
    """An upload for one file: `upload_url` accepts one PUT, without our API key, and expires soon."""

    file_id: str
    upload_url: str = field(repr=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "an upload")
        url = wire_fields.url(data.get("uploadUrl"))
        if url is None:
            raise MalformedResponse("VideoGen's response lacks the upload URL.")
        return cls(required_id(data, "the file", "fileId", "storageFileId"), url)
