"""One page of the History: filters from the URL, and keyset paging in both directions without OFFSET."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard.cards import job as cards
from dashboard.history.filter_menus import OtherFilters, menus
from dashboard.history.query import SORTS, parse_query
from dashboard.http.params import as_uuid, ignored_values
from executions import policy
from executions.core import database
from executions.models import Execution, SavedFilter
from executions.policy import Action
from executions.search.jobs import JobPage, count_newer, page

PAGE_SIZE = 50
# New jobs are counted up to this many.
MAX_NEW = 99
COLUMNS = {
    "preview": "Preview",
    "tool": "Tool",
    "status": "Status",
    "person": "Person",
    "batch": "Batch",
    "error": "Error",
    "took": "Duration",
    "started": "Started",
}
DEFAULT_COLUMNS = ("preview", "status", "person", "took", "started")


class HistoryPage:
    """The jobs that follow `after` or precede `before` (job ids) in the page's order.

    `top` keeps a first page from moving: jobs newer than that one are counted, and shown on request.
    """

    def __init__(self, user: Any, query: QueryDict, columns: str | None = None) -> None:
        self.user = user
        self.query = parse_query(query)
        self.after, self.before, self.top = (
            as_uuid(query.get(name, "")) for name in ("after", "before", "top")
        )
        chosen = [name for name in (columns or "").split(" ") if name in COLUMNS]
        self.columns = chosen or list(DEFAULT_COLUMNS)
        self.menus = menus(self.query)
        self.saved = self._saved()
        self._found = self._find()
        self.cards = self._cards()
        self.how_many = self._how_many()

    # --- filters ------------------------------------------------------------------------------------------

    @property
    def other_filters(self) -> OtherFilters:
        return OtherFilters(self.query)

    @property
    def words(self) -> str:
        return self.query.filters.words

    @property
    def terms(self) -> Any:
        return self.query.filters.terms

    @property
    def is_filtered(self) -> bool:
        return self.query.is_filtered

    @property
    def is_gallery(self) -> bool:
        return self.query.view == "gallery"

    @property
    def sorts(self) -> list[tuple[str, str, bool]]:
        return [(value, words, value == self.query.sort) for value, words in SORTS.items()]

    @property
    def ignored_message(self) -> str:
        return ignored_values(self.query.ignored)

    @property
    def order_note(self) -> str:
        """Which jobs this order leaves out."""
        if self.query.order.column == "duration":
            return "Finished jobs only"
        if self.query.order.column:
            return "Jobs started in Rushes only, by person in the order in which they joined"
        return ""

    @property
    def column_choices(self) -> list[tuple[str, str, bool]]:
        return [(name, label, name in self.columns) for name, label in COLUMNS.items()]

    @property
    def shown_columns(self) -> str:
        return " ".join(self.columns)

    def _saved(self) -> list[tuple[SavedFilter, bool, bool]]:
        """The team's saved views: (view, whether it is open, whether the person may remove it)."""
        here = self.query.string()
        rows = SavedFilter.objects.select_related("created_by")[:100]
        return [(row, row.query == here, policy.can(self.user, Action.FILTER_DELETE, row)) for row in rows]

    @property
    def is_saved(self) -> bool:
        return any(is_here for _, is_here, _ in self.saved)

    # --- position and links -------------------------------------------------------------------------------

    @property
    def is_first(self) -> bool:
        """Whether no jobs precede the page."""
        return not self._found.has_before

    @property
    def is_live(self) -> bool:
        """Whether new jobs belong at the top of this page."""
        return self.is_first and self.query.sort == "newest"

    @property
    def topic(self) -> str:
        kind = "gallery" if self.is_gallery else "history"
        without_new = "tiles" if self.is_gallery else "rows"
        return kind if self.is_live else without_new

    @property
    def here_url(self) -> str:
        """The URL that shows the same jobs again."""
        if not self.is_first:
            return self.query.url(after=self.after, before=self.before)
        return self.query.url(top=self.cards[0].id if self.is_live and self.cards else None)

    @property
    def fresh_url(self) -> str:
        """Where to poll the number of new jobs; empty for pages that do not show it."""
        if not self.is_live:
            return ""
        newest = self.cards[0].id if self.cards else uuid.UUID(int=0)
        return f"{reverse('executions-fresh')}?{self.query.string(top=newest)}"

    @property
    def query_string(self) -> str:
        return self.query.string()

    @property
    def all_url(self) -> str:
        return self.query.url()

    @property
    def next_url(self) -> str:
        return self.query.url(after=self._found.ids[-1]) if self._found.ids and self._found.has_after else ""

    @property
    def previous_url(self) -> str:
        return self.query.url(before=self._found.ids[0]) if self._found.ids and self._found.has_before else ""

    @property
    def list_url(self) -> str:
        return self.query.url(view="list")

    @property
    def gallery_url(self) -> str:
        return self.query.url(view="gallery")

    # --- rows ---------------------------------------------------------------------------------------------

    def _cards(self) -> list[cards.Card]:
        ids = self._found.ids
        jobs = Execution.objects.for_cards().for_lists().in_bulk(ids)
        return cards.cards_for(self.user, (jobs[pk] for pk in ids if pk in jobs))

    def _how_many(self) -> str:
        """The number of jobs as far as it is known without counting millions of rows."""
        found = self._found
        if self.is_first and not found.has_after:
            return f"{len(found.ids)} job{'' if len(found.ids) == 1 else 's'}"
        if self.is_filtered:
            return f"{len(found.ids)} on this page{', and more' if found.has_after else ''}"
        return f"about {estimated_total():,} jobs"

    def _find(self) -> JobPage:
        read = partial(page, self.query.filters, self.query.order, size=PAGE_SIZE)
        if self.after is None and self.before is None:
            return read(through=self.top if self.query.sort == "newest" else None)
        found = read(after=self.after, before=self.before)
        if self.before and not found.has_before and len(found.ids) < PAGE_SIZE:
            # Too few jobs precede it to fill a page: show the first page instead.
            return read()
        return found


def count_new(query: QueryDict) -> int:
    """How many matching jobs are newer than the page's first one, up to MAX_NEW + 1."""
    top = as_uuid(query.get("top", ""))
    return count_newer(parse_query(query).filters, top, MAX_NEW + 1) if top else 0


def estimated_total() -> int:
    """The approximate number of jobs, from the database's statistics."""
    return max(database.estimated_rows(Execution), PAGE_SIZE)
