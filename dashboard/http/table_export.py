"""Long tables as a download, CSV or JSON Lines, sent while they are read: a million rows need the memory of one piece."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from dashboard.http.csv_safety import guard
from executions.core import runtime

KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}
# Rows in a piece: read in one go beside the writers, and sent as one.
ROWS = 1000
MARK = "\ufeff"  # without it spreadsheets do not take a CSV for UTF-8


def stream(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], kind: str
) -> StreamingHttpResponse:
    """The answer that sends the rows as `name`.csv or `name`.jsonl.

    `rows` is consumed in other threads, a piece at a time: it must not hold a database cursor between two rows
    (`in_chunks` does not). Times become ISO 8601 with their zone, and text that a spreadsheet would take for a
    formula is led by an apostrophe in CSV. Raises KeyError for another kind.
    """
    media_type = KINDS[kind]
    headers = {
        "Content-Disposition": content_disposition_header(True, f"{name}.{kind}"),
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(pieces(columns, rows, kind), content_type=media_type, headers=headers)


async def pieces(columns: Sequence[str], rows: Iterable[Sequence[Any]], kind: str) -> AsyncGenerator[bytes]:
    """The file, piece by piece."""
    write = _as_csv if kind == "csv" else _as_json_lines
    if kind == "csv":
        yield (MARK + write(columns, [columns])).encode()
    left = iter(rows)
    while piece := await runtime.in_reader(_piece, left, columns, write):
        yield piece


def _piece(
    left: Iterator[Sequence[Any]],
    columns: Sequence[str],
    write: Callable[[Sequence[str], Iterable[Sequence[Any]]], str],
) -> bytes:
    # A lone surrogate has no place in UTF-8; nothing else is lost.
    return write(columns, islice(left, ROWS)).encode("utf-8", "replace")


def in_chunks(found: QuerySet[Any], *, size: int = ROWS, by: str = "-pk") -> Iterator[Any]:
    """All rows of a queryset in the order of one unique column, by a query for each `size` of them, no cursor held."""
    name, less = by.removeprefix("-"), by.startswith("-")
    found = found.order_by(by)
    last: Any = None
    while True:
        rest = found if last is None else found.filter(**{f"{name}__{'lt' if less else 'gt'}": last})
        chunk = list(rest[:size])
        yield from chunk
        if len(chunk) < size:
            return
        last = getattr(chunk[-1], name)


def _as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _as_json_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return "".join(
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=_plain) + "\n"
        for row in rows
    )


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    return guard(_plain(value))


def _plain(value: Any) -> str:
    match value:
        case datetime():
            return value.astimezone(timezone.get_default_timezone()).isoformat(timespec="milliseconds")
        case dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
