"""Lists that come in pages (docs/api-notes.md#paging), and the guard against lists without an end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from executions.videogen import fields as wire_fields
from executions.videogen.errors import MalformedAnswer
from executions.videogen.wire import all_of

LARGEST_PAGE = 200
# A service that makes up a new cursor each time would keep us for ever: 200,000 items are enough.
MOST_PAGES = 1000
LONGEST_CURSOR = 4096


@dataclass(frozen=True)
class Page[T]:
    """`next_cursor` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None = None

    @classmethod
    def from_wire(cls, data: Any, name: str, parse: Callable[[Any], T]) -> Self:
        """Entries that cannot be understood are left out. Without `hasMore` (era 0.0) the list is complete."""
        if not isinstance(data, dict) or not isinstance(data.get(name), list):
            raise MalformedAnswer(f"VideoGen's answer lacks the list of {name}.", raw=data)
        cursor = wire_fields.text(data.get("nextCursor"))
        if cursor and len(cursor) > LONGEST_CURSOR:
            raise MalformedAnswer("VideoGen's answer has a cursor that no request can carry.")
        return cls(all_of(parse, data[name]), cursor if cursor and data.get("hasMore") else None)


def page_of[T](name: str, parse: Callable[[Any], T]) -> Callable[[Any], Page[T]]:
    """Reads a page whose items stand under `name`."""
    return lambda data: Page.from_wire(data, name, parse)


async def each_item[T](fetch: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    """Every item of every page; ends as well when a cursor comes a second time."""
    cursor: str | None = None
    seen: set[str | None] = set()
    while cursor not in seen and len(seen) < MOST_PAGES:
        seen.add(cursor)
        page = await fetch(cursor)
        for item in page.items:
            yield item
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
