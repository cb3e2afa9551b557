"""Reads the body of a webhook delivery (docs/api-notes.md#webhook-events). Verify its signature first: see signature.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from executions.videogen import fields as wire_fields
from executions.videogen import safe_json
from executions.videogen.errors import MalformedEvent
from executions.videogen.wire import ApiError, File, ToolResult, all_of, optional

LONGEST_EVENT_NAME = 100


@dataclass(frozen=True)
class Event:
    """Something that happened to an execution or a file. Events that we do not know are read like the others."""

    event: str
    execution_id: str | None = None
    file_id: str | None = None
    tool_type: str = ""
    occurred_at: datetime | None = None
    """By VideoGen's clock, aware; None where it is absent or absurd."""
    results: tuple[ToolResult, ...] = ()
    error: ApiError | None = None
    file: File | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def parse_event(body: bytes | dict[str, Any]) -> Event:
    """The event in a delivery's body, raw or parsed before. Raises MalformedEvent, which says why, and nothing else."""
    try:
        if isinstance(body, dict):
            data = safe_json.cleaned(body, strict=True)
        else:
            data = safe_json.decode(bytes(body), strict=True)
    except safe_json.Unreadable as unreadable:
        raise MalformedEvent(f"The body {unreadable}.") from None
    if not isinstance(data, dict):
        raise MalformedEvent("The body is not a JSON object.")
    name = data.get("event")
    if not isinstance(name, str) or not name.strip():
        raise MalformedEvent("The body has no event name.")
    if len(name) > LONGEST_EVENT_NAME:
        raise MalformedEvent(f"The event's name has more than {LONGEST_EVENT_NAME} characters.")
    file = optional(File.from_wire, data.get("file"))
    return Event(
        event=name,
        execution_id=wire_fields.ident(data.get("toolExecutionId")),
        file_id=wire_fields.ident(data.get("fileId"), data.get("storageFileId"), file and file.file_id),
        tool_type=wire_fields.word(data.get("toolType"), wire_fields.LONGEST_NAME),
        occurred_at=wire_fields.moment(data.get("occurredAt")),
        results=all_of(ToolResult.from_wire, data.get("results")),
        error=ApiError.from_wire(data.get("error")),
        file=file,
        raw=data,
    )
