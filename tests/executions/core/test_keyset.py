"""Keyset paging: pages after a known row, and whole tables in chunks."""

from __future__ import annotations

from typing import Any

import pytest

from executions.audit import record as audit_log
from executions.core import keyset
from executions.models import Event
from executions.models.event import ActKind

pytestmark = pytest.mark.django_db


def create_events(count: int) -> list[int]:
    return [audit_log.record(ActKind.EXPORTED, actor_id=None).pk for _ in range(count)]


def ids(page: keyset.KeysetPage[Event]) -> list[int]:
    return [event.pk for event in page.rows]


def test_a_page_starts_after_a_row_in_both_directions() -> None:
    first, second, third, fourth = create_events(4)
    rows = Event.objects.all()
    assert ids(keyset.page(rows, size=2)) == [fourth, third]
    assert ids(keyset.page(rows, size=2, after=third)) == [second, first]
    assert ids(keyset.page(rows, size=2, by="pk")) == [first, second]
    assert ids(keyset.page(rows, size=2, after=second, by="pk")) == [third, fourth]


def test_a_page_knows_whether_more_rows_follow() -> None:
    create_events(3)
    assert keyset.page(Event.objects.all(), size=2).has_more
    assert not keyset.page(Event.objects.all(), size=3).has_more


def test_a_page_past_the_last_row_is_empty() -> None:
    (only,) = create_events(1)
    assert keyset.page(Event.objects.all(), size=2, after=only) == keyset.KeysetPage([], has_more=False)


def test_a_page_is_one_query(django_assert_num_queries: Any) -> None:
    create_events(3)
    with django_assert_num_queries(1):
        keyset.page(Event.objects.all(), size=2)


@pytest.mark.parametrize("count", [0, 6, 7])
def test_chunks_cover_the_whole_table_in_order(count: int, django_assert_num_queries: Any) -> None:
    made = create_events(count)
    with django_assert_num_queries(count // 3 + 1):
        found = [event.pk for event in keyset.iterate(Event.objects.all(), size=3)]
    assert found == made[::-1]
    assert [event.pk for event in keyset.iterate(Event.objects.all(), size=3, by="pk")] == made
