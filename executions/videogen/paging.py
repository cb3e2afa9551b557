"""Paged lists (docs/api-notes.md#paging), with a guard against endless ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from executions.videogen import wire_fields
from executions.videogen.errors import MalformedResponse
from executions.videogen.wire import all_of

MAX_PAGE_SIZE = 200
# A service that returned a new cursor every time would never end. This is enough for 200,000 items.
MAX_PAGES = 1000
MAX_CURSOR_LENGTH = 4096


@dataclass(frozen=True)
class ApiPage[T]:
    """`next_cursor` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None = None

    @classmethod
    def from_wire(cls, data: Any, name: str, parse: Callable[[Any], T]) -> Self:
        """Entries that cannot be parsed are skipped. Without `hasMore` (API version 0.0) the list is complete."""
        if not isinstance(data, dict) or not isinstance(data.get(name), list):
            raise MalformedResponse(f"VideoGen's response lacks the list of {name}.", raw=data)
        cursor = wire_fields.text(data.get("nextCursor"))
        if cursor and len(cursor) > MAX_CURSOR_LENGTH:
            raise MalformedResponse("VideoGen's response has a cursor that is too long.")
        return cls(all_of(parse, data[name]), cursor if cursor and data.get("hasMore") else None)


def page_of[T](name: str, parse: Callable[[Any], T]) -> Callable[[Any], ApiPage[T]]:
    """A parser for pages whose items are under the key `name`."""
    return lambda data: ApiPage.from_wire(data, name, parse)


async def all_items[T](fetch: Callable[[str | None], Awaitable[ApiPage[T]]]) -> AsyncIterator[T]:
    """All items of all pages. Stops if a cursor repeats, or after MAX_PAGES pages."""
    cursor: str | None = None
    seen: set[str | None] = set()
    while cursor not in seen and len(seen) < MAX_PAGES:
        seen.add(cursor)
        page = await fetch(cursor)
        for item in page.items:
            yield item
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
