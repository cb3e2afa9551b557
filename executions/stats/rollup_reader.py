"""Reads the counts behind Insights: sums over some days, for all or some tools and people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Min, Q, Sum

from executions.models import Rollup
from executions.models.rollup import ANY_PERSON, ANY_TOOL, NO_PERSON, Measure, Period

# A part of a range of days: a whole day, week or month, and its first day.
type Part = tuple[Period, date]


def first_day() -> date | None:
    """The first day with data; None if there is none."""
    found: date | None = Rollup.objects.filter(
        period=Period.MONTH, measure=Measure.STARTED, person=ANY_PERSON, tool=ANY_TOOL
    ).aggregate(first=Min("start"))["first"]
    return found


class RollupReader:
    """Reads the counts of these tools and people; of all if there are none."""

    def __init__(self, tools: Collection[str], people: Collection[int]) -> None:
        self.tools = tools
        self.people = people

    def has_weeks(self, by: Collection[str]) -> bool:
        """Whether weeks have counts by these columns: by both tool and person they have none (event_reader.py)."""
        return not ((self.tools or "tool" in by) and (self.people or "person" in by))

    def sums(
        self, parts: Iterable[Part], measures: Collection[str], by: Collection[str]
    ) -> Iterator[tuple[Any, ...]]:
        """The sum over these parts for each combination of the columns `by`, as (*values, sum)."""
        rows = Rollup.objects.filter(_within(parts), measure__in=measures)
        if self.tools:
            rows = rows.filter(tool__in=self.tools)
        elif "tool" in by:
            rows = rows.filter(tool__in=self._all_tools)
        else:
            rows = rows.filter(tool=ANY_TOOL)
        if self.people:
            rows = rows.filter(person__in=self.people)
        elif "person" in by:
            rows = rows.filter(person__in=self._all_people)
        else:
            rows = rows.filter(person=ANY_PERSON)
        yield from rows.order_by().values_list(*by).annotate(Sum("count"))

    # Listed by name instead of excluding "any": the index then leads directly to the days of each.

    @cached_property
    def _all_tools(self) -> list[str]:
        months = Rollup.objects.filter(period=Period.MONTH, measure=Measure.STARTED, person=ANY_PERSON)
        return list(months.exclude(tool=ANY_TOOL).order_by().values_list("tool", flat=True).distinct())

    @cached_property
    def _all_people(self) -> list[int]:
        return [NO_PERSON, *get_user_model().objects.values_list("pk", flat=True)]


def _within(parts: Iterable[Part]) -> Q:
    """A condition for the rows of these parts, in which those of one period follow each other."""
    found = Q()
    for period, run in groupby(parts, key=itemgetter(0)):
        days = [day for _, day in run]
        found |= Q(period=period, start__range=(days[0], days[-1]))
    return found
