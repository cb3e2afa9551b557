"""Streams large tables as CSV or JSON Lines. They are read and sent in chunks, so memory use is that of one chunk."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from dashboard.http.csv_safety import guard
from executions.core import runtime

KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}
CHUNK_ROWS = 1000
BYTE_ORDER_MARK = "\ufeff"  # without it, spreadsheets do not read a CSV file as UTF-8


def stream(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], kind: str
) -> StreamingHttpResponse:
    """A response that sends the rows as `name`.csv or `name`.jsonl.

    `rows` is consumed in other threads, one chunk at a time, so it must not hold a database cursor between two
    rows (keyset.iterate does not). Times are written in ISO 8601 with their zone. In CSV, text that a spreadsheet
    would run as a formula starts with an apostrophe. Raises KeyError for another kind.
    """
    media_type = KINDS[kind]
    headers = {
        "Content-Disposition": content_disposition_header(True, f"{name}.{kind}"),
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(chunks(columns, rows, kind), content_type=media_type, headers=headers)


async def chunks(columns: Sequence[str], rows: Iterable[Sequence[Any]], kind: str) -> AsyncGenerator[bytes]:
    """The bytes of the file, in chunks."""
    write = _as_csv if kind == "csv" else _as_json_lines
    if kind == "csv":
        yield (BYTE_ORDER_MARK + write(columns, [columns])).encode()
    remaining = iter(rows)
    while chunk := await runtime.in_reader(_chunk, remaining, columns, write):
        yield chunk


def _chunk(
    remaining: Iterator[Sequence[Any]],
    columns: Sequence[str],
    write: Callable[[Sequence[str], Iterable[Sequence[Any]]], str],
) -> bytes:
    # Lone surrogates cannot be encoded in UTF-8; nothing else is replaced.
    return write(columns, islice(remaining, CHUNK_ROWS)).encode("utf-8", "replace")


def _as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _as_json_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return "".join(
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=_to_text) + "\n"
        for row in rows
    )


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    return guard(_to_text(value))


def _to_text(value: Any) -> str:
    match value:
        case datetime():
            return value.astimezone(timezone.get_default_timezone()).isoformat(timespec="milliseconds")
        case dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
