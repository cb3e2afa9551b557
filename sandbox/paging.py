"""Cursor pagination: ``limit`` and ``cursor`` in, items and ``nextCursor`` out (docs/api-notes.md#paging)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.errors import invalid_parameters
from sandbox.records import Record
from sandbox.settings import Settings
from sandbox.store import Store

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_NO_LIMIT = 1_000_000_000


def read_limit(settings: Settings, query: Mapping[str, str]) -> int:
    """The page size; a 400 outside 1 to 200 (docs/api-notes.md#paging). API version 0.0 returns everything at once."""
    if not settings.at_least("1.0"):
        reject_unknown(settings, query, "limit", "cursor")
        return _NO_LIMIT
    text = query.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_LIMIT):
        raise invalid_parameters(f"limit must be an integer from 1 to {MAX_LIMIT}")
    return int(text)


def reject_unknown(settings: Settings, query: Mapping[str, str], *names: str) -> None:
    """For parameters that the API version lacks: a 400 in strict mode, else ignored (docs/api-notes.md#reading-responses)."""
    for name in names:
        if settings.strict and name in query:
            raise invalid_parameters(f"{name} is not a parameter of API version {settings.api_version}")


def read_flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name)
    if text is None or text in ("true", "false"):
        return text == "true"
    raise invalid_parameters(f"{name} must be true or false")


def record_page[R: Record](
    settings: Settings,
    store: Store,
    kind: type[R],
    query: Mapping[str, str],
    owner: str | None,
    *,
    exports: bool = False,
) -> tuple[list[R], str | None]:
    """One page of records, highest rank first, and the cursor of the next page or None."""
    limit = read_limit(settings, query)
    after = _read_cursor(settings, query, kind.table)
    if after is not None and not (
        len(after) == 2 and isinstance(after[0], (int, float)) and isinstance(after[1], str)
    ):
        raise _invalid_cursor()
    try:
        position = None if after is None else (float(after[0]), str(after[1]))
    except OverflowError:
        raise _invalid_cursor() from None
    found = store.page(kind, limit + 1, position, owner, exports=exports)
    items = found[:limit]
    has_more = len(found) > limit
    return items, _write_cursor(kind.table, [items[-1].rank, items[-1].id]) if has_more else None


def list_page[T](
    settings: Settings, name: str, items: Sequence[T], query: Mapping[str, str]
) -> tuple[Sequence[T], str | None]:
    """One page of a constant list."""
    limit = read_limit(settings, query)
    after = _read_cursor(settings, query, name)
    if after is not None and not (len(after) == 1 and isinstance(after[0], int) and after[0] >= 0):
        raise _invalid_cursor()
    start = 0 if after is None else after[0]
    end = start + limit
    return items[start:end], _write_cursor(name, [end]) if end < len(items) else None


def _invalid_cursor() -> Exception:
    return invalid_parameters("cursor must be the nextCursor of a page of this list")


def _write_cursor(list_name: str, position: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([list_name, *position]).encode()).decode().rstrip("=")


def _read_cursor(settings: Settings, query: Mapping[str, str], list_name: str) -> list[Any] | None:
    text = query.get("cursor")
    if text is None or not settings.at_least("1.0"):
        return None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        data = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise _invalid_cursor() from None
    if not isinstance(data, list) or data[:1] != [list_name]:
        raise _invalid_cursor()
    return data[1:]
