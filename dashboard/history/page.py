"""One page of the history: filters from the URL, keyset paging in both directions, never an OFFSET."""

from __future__ import annotations

import uuid
from functools import cached_property, partial
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard.cards import job as cards
from dashboard.history.filter_menus import Menu, Spans, menus
from dashboard.history.query import SORTS, asked
from dashboard.http.params import as_uuid, ignored_values
from executions import policy
from executions.core import database
from executions.models import Execution, SavedFilter
from executions.policy import Action
from executions.search.jobs import Found, count_newer, page

SIZE = 50
# New jobs are counted up to this many.
MOST_NEW = 99
COLUMNS = {
    "preview": "Preview",
    "tool": "Tool",
    "status": "Status",
    "person": "Person",
    "batch": "Batch",
    "error": "Error",
    "took": "Took",
    "started": "Started",
}
USUAL_COLUMNS = ("preview", "status", "person", "took", "started")


class HistoryPage:
    """`after` and `before` are ids of jobs that the page stands behind or before, in its order.

    `top` holds a first page still: what came after that job is counted, and shown when it is asked for.
    """

    def __init__(self, user: Any, query: QueryDict, columns: str | None = None) -> None:
        self.user = user
        self.asked = asked(query)
        self.after, self.before, self.top = (
            as_uuid(query.get(name, "")) for name in ("after", "before", "top")
        )
        chosen = [name for name in (columns or "").split(" ") if name in COLUMNS]
        self.columns = chosen or list(USUAL_COLUMNS)

    # --- what is asked for --------------------------------------------------------------------------------

    @cached_property
    def menus(self) -> list[Menu]:
        return menus(self.asked)

    @property
    def spans(self) -> Spans:
        return Spans(self.asked)

    @property
    def words(self) -> str:
        return self.asked.filters.words

    @property
    def terms(self) -> Any:
        return self.asked.filters.terms

    @property
    def is_filtered(self) -> bool:
        return self.asked.is_filtered

    @property
    def is_gallery(self) -> bool:
        return self.asked.view == "gallery"

    @property
    def sorts(self) -> list[tuple[str, str, bool]]:
        return [(value, words, value == self.asked.sort) for value, words in SORTS.items()]

    @property
    def not_understood(self) -> str:
        return ignored_values(self.asked.not_understood)

    @property
    def left_out(self) -> str:
        """What this order has no place for."""
        if self.asked.order.column == "duration":
            return "Only what has ended: the rest has not taken its time yet."
        if self.asked.order.column:
            return "Only what people started here, by person in the order in which they came to the team."
        return ""

    @property
    def column_choices(self) -> list[tuple[str, str, bool]]:
        return [(name, label, name in self.columns) for name, label in COLUMNS.items()]

    @property
    def shown_columns(self) -> str:
        return " ".join(self.columns)

    @cached_property
    def saved(self) -> list[tuple[SavedFilter, bool, bool]]:
        """The team's saved views: (view, whether it is this one, whether the person may remove it)."""
        here = self.asked.string()
        rows = SavedFilter.objects.select_related("created_by")[:100]
        return [(row, row.query == here, policy.can(self.user, Action.FILTER_DELETE, row)) for row in rows]

    @property
    def is_saved(self) -> bool:
        return any(is_here for _, is_here, _ in self.saved)

    # --- where it stands ----------------------------------------------------------------------------------

    @property
    def is_first(self) -> bool:
        """Nothing stands before it, by whatever way it was come to."""
        return not self._found.has_before

    @property
    def is_live(self) -> bool:
        """New jobs come in at the beginning of this page."""
        return self.is_first and self.asked.sort == "newest"

    @property
    def topic(self) -> str:
        kind = "gallery" if self.is_gallery else "history"
        quiet = "tiles" if self.is_gallery else "rows"
        return kind if self.is_live else quiet

    @property
    def here_url(self) -> str:
        """Asked again, the page stands as it stood."""
        if not self.is_first:
            return self._url(after=self.after, before=self.before)
        return self._url(top=self.cards[0].id if self.is_live and self.cards else None)

    @property
    def fresh_url(self) -> str:
        """How many are new; empty where that is not said. An empty page waits for its first job."""
        if not self.is_live:
            return ""
        newest = self.cards[0].id if self.cards else uuid.UUID(int=0)
        return f"{reverse('executions-fresh')}?{self.asked.string(top=newest)}"

    @property
    def query_string(self) -> str:
        return self.asked.string()

    @property
    def all_url(self) -> str:
        return self._url()

    @property
    def next_url(self) -> str:
        return self._url(after=self._found.ids[-1]) if self._found.ids and self._found.has_after else ""

    @property
    def previous_url(self) -> str:
        return self._url(before=self._found.ids[0]) if self._found.ids and self._found.has_before else ""

    @property
    def list_url(self) -> str:
        return self._url(view="list")

    @property
    def gallery_url(self) -> str:
        return self._url(view="gallery")

    # --- what stands on it --------------------------------------------------------------------------------

    @cached_property
    def cards(self) -> list[cards.Card]:
        ids = self._found.ids
        jobs = {job.pk: job for job in Execution.objects.for_cards().for_lists().filter(pk__in=ids)}
        return cards.cards_for(self.user, (jobs[pk] for pk in ids if pk in jobs))

    @property
    def how_many(self) -> str:
        """As much as can be said without counting millions, and said as that."""
        found = self._found
        if self.is_first and not found.has_after:
            return f"{len(found.ids)} job{'' if len(found.ids) == 1 else 's'}"
        if self.is_filtered:
            return f"{len(found.ids)} on this page{', and more' if found.has_after else ''}"
        return f"about {estimate():,} jobs"

    @cached_property
    def _found(self) -> Found:
        look = partial(page, self.asked.filters, self.asked.order, size=SIZE)
        if self.after is None and self.before is None:
            return look(through=self.top if self.asked.sort == "newest" else None)
        found = look(after=self.after, before=self.before)
        if self.before and not found.has_before and len(found.ids) < SIZE:
            # What stands before it does not fill a page: the first page is shown, as it is.
            return look()
        return found

    def _url(self, **more: Any) -> str:
        query = self.asked.string(**more)
        return reverse("executions") + (f"?{query}" if query else "")


def fresh(query: QueryDict) -> int:
    """How many jobs that match came after the page's first one, up to one more than MOST_NEW."""
    top = as_uuid(query.get("top", ""))
    return count_newer(asked(query).filters, top, MOST_NEW + 1) if top else 0


def estimate() -> int:
    """About how many jobs there are, from what the database knows without counting."""
    return max(database.estimated_rows(Execution), SIZE)
