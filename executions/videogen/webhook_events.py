"""Parses the body of a webhook delivery (docs/api-notes.md#webhook-events). Verify its signature first (signature.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from executions.videogen import safe_json, wire_fields
from executions.videogen.errors import MalformedEvent
from executions.videogen.wire import ApiError, RemoteFile, ToolResult, all_of, optional

MAX_EVENT_NAME_LENGTH = 100


@dataclass(frozen=True)
class WebhookEvent:
    """An event of an execution or a file. Unknown kinds of events are parsed like the others."""

    event: str
    execution_id: str | None = None
    file_id: str | None = None
    tool_type: str = ""
    occurred_at: datetime | None = None
    """By VideoGen's clock, timezone-aware; None if it is missing or invalid."""
    results: tuple[ToolResult, ...] = ()
    error: ApiError | None = None
    file: RemoteFile | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def parse_event(body: bytes | dict[str, Any]) -> WebhookEvent:
    """The event in a delivery's body, given as bytes or already parsed. Raises only MalformedEvent, with the reason."""
    try:
        if isinstance(body, dict):
            data = safe_json.clean(body, strict=True)
        else:
            data = safe_json.decode(bytes(body), strict=True)
    except safe_json.InvalidJson as unreadable:
        raise MalformedEvent(f"The body {unreadable}.") from None
    if not isinstance(data, dict):
        raise MalformedEvent("The body is not a JSON object.")
    name = data.get("event")
    if not isinstance(name, str) or not name.strip():
        raise MalformedEvent("The body has no event name.")
    if len(name) > MAX_EVENT_NAME_LENGTH:
        raise MalformedEvent(f"The event's name has more than {MAX_EVENT_NAME_LENGTH} characters.")
    file = optional(RemoteFile.from_wire, data.get("file"))
    return WebhookEvent(
        event=name,
        execution_id=wire_fields.identifier(data.get("toolExecutionId")),
        file_id=wire_fields.identifier(data.get("fileId"), data.get("storageFileId"), file and file.file_id),
        tool_type=wire_fields.enum_value(data.get("toolType"), wire_fields.MAX_NAME_LENGTH),
        occurred_at=wire_fields.timestamp(data.get("occurredAt")),
        results=all_of(ToolResult.from_wire, data.get("results")),
        error=ApiError.from_wire(data.get("error")),
        file=file,
        raw=data,
    )
