"""Pages of jobs: for all filters, orders and strategies, they equal a plain filter and sort in Python."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions.models import Batch, Execution
from executions.search.jobs import NO_CODE, ORDERS, FilterChoice, Filters, count_newer, iterate, page, paging
from tests.factories.past_jobs import FIRST_START, past_job, write
from tests.factories.people import People, team
from tests.factories.shared import shared_rows

pytestmark = pytest.mark.django_db
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"


@pytest.fixture(scope="module")
def past_jobs(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[People, list[Execution]]]:
    """The people and their jobs, written once: hundreds of tests only read them."""

    def build() -> tuple[People, list[Execution]]:
        people = team()
        return people, jobs_of(people)

    with shared_rows(django_db_blocker, build) as built:
        yield built


@pytest.fixture
def people(past_jobs: tuple[People, list[Execution]]) -> People:
    return past_jobs[0]


@pytest.fixture
def many(past_jobs: tuple[People, list[Execution]]) -> list[Execution]:
    return past_jobs[1]


def jobs_of(people: People) -> list[Execution]:
    """200 varied jobs, oldest first."""
    chance = random.Random(3)
    batch = Batch.objects.create(name="Storyboard", tool="generate-image", size=1)
    jobs = []
    for number in range(200):
        status = chance.choice([SUCCEEDED] * 6 + [FAILED, CANCELLED])
        code = chance.choice(["timed_out", "moderation_refused", None]) if status == FAILED else None
        jobs.append(
            past_job(
                number,
                status=status,
                error_code=code,
                tool=chance.choice(["generate-image", "text-to-speech", "vectorize-image"]),
                created_by_id=chance.choice([people.ann.pk, people.ben.pk, people.ada.pk]),
                # Many have the same duration, so that the id decides.
                duration=float(chance.choice([1, 2, 5, 60])),
                batch=batch if chance.random() < 0.1 else None,
                prompt=" ".join(chance.choices(["fog", "pier", "lighthouse", "uk", "gate"], k=3)),
            )
        )
    for job in jobs[::40]:
        job.origin, job.created_by_id = "elsewhere", None
    return write(*jobs)


# Each filter with an equivalent Python condition.
FILTERS: dict[str, tuple[Callable[[Any, Any], Filters], Callable[[Execution, Any, Any], bool]]] = {
    "nothing": (lambda p, b: Filters(), lambda j, p, b: True),
    "one status": (lambda p, b: Filters(status=FilterChoice((FAILED,))), lambda j, p, b: j.status == FAILED),
    "two statuses": (
        lambda p, b: Filters(status=FilterChoice((FAILED, CANCELLED))),
        lambda j, p, b: j.status in (FAILED, CANCELLED),
    ),
    "not a status": (
        lambda p, b: Filters(status=FilterChoice((), (SUCCEEDED,))),
        lambda j, p, b: j.status != SUCCEEDED,
    ),
    "a person and not a tool": (
        lambda p, b: Filters(person=FilterChoice((p.ann.pk,)), tool=FilterChoice((), ("text-to-speech",))),
        lambda j, p, b: j.created_by_id == p.ann.pk and j.tool != "text-to-speech",
    ),
    "not a person": (
        lambda p, b: Filters(person=FilterChoice((), (p.ann.pk,))),
        lambda j, p, b: j.created_by_id != p.ann.pk,
    ),
    "a batch": (lambda p, b: Filters(batch=FilterChoice((b,))), lambda j, p, b: j.batch_id == b),
    "not a batch": (lambda p, b: Filters(batch=FilterChoice((), (b,))), lambda j, p, b: j.batch_id != b),
    "a code": (
        lambda p, b: Filters(error=FilterChoice(("timed_out",))),
        lambda j, p, b: j.error_code == "timed_out",
    ),
    "not a code": (
        lambda p, b: Filters(error=FilterChoice((), ("timed_out",))),
        lambda j, p, b: j.error_code != "timed_out",
    ),
    "failed without a code": (
        lambda p, b: Filters(error=FilterChoice((NO_CODE,))),
        lambda j, p, b: j.status == FAILED and j.error_code is None,
    ),
    "a code, or failed without one": (
        lambda p, b: Filters(error=FilterChoice(("timed_out", NO_CODE))),
        lambda j, p, b: j.error_code == "timed_out" or (j.status == FAILED and j.error_code is None),
    ),
    "not failed without a code": (
        lambda p, b: Filters(error=FilterChoice((), (NO_CODE,))),
        lambda j, p, b: j.status != FAILED or j.error_code is not None,
    ),
    "external": (lambda p, b: Filters(origin="elsewhere"), lambda j, p, b: j.origin == "elsewhere"),
    "started in Rushes, with a minimum duration": (
        lambda p, b: Filters(origin="here", at_least=5),
        lambda j, p, b: j.origin == "here" and j.duration >= 5,
    ),
    "ranges of duration and time": (
        lambda p, b: Filters(at_least=2, less_than=60, since=FIRST_START, until=FIRST_START.replace(hour=14)),
        lambda j, p, b: 2 <= j.duration < 60 and FIRST_START <= j.created_at < FIRST_START.replace(hour=14),
    ),
    "words": (
        lambda p, b: Filters(words="light -gate uk"),
        lambda j, p, b: "light" in j.prompt and "gate" not in j.prompt and "uk" in j.prompt,
    ),
    "words and other filters": (
        lambda p, b: Filters(
            words="fog",
            tool=FilterChoice(("generate-image", "vectorize-image")),
            status=FilterChoice((SUCCEEDED,)),
        ),
        lambda j, p, b: "fog" in j.prompt and j.tool != "text-to-speech" and j.status == SUCCEEDED,
    ),
    "no match": (lambda p, b: Filters(status=FilterChoice(("asleep",))), lambda j, p, b: False),
}
SORTED: dict[str, tuple[Callable[[Execution], Any], Callable[[Execution], bool]]] = {
    "newest": (lambda j: -j.pk.int, lambda j: True),
    "oldest": (lambda j: j.pk.int, lambda j: True),
    "longest": (lambda j: (-j.duration, -j.pk.int), lambda j: True),
    "shortest": (lambda j: (j.duration, j.pk.int), lambda j: True),
    "person": (lambda j: (j.created_by_id, -j.pk.int), lambda j: j.created_by_id is not None),
    "-person": (lambda j: (-j.created_by_id, -j.pk.int), lambda j: j.created_by_id is not None),
}


# Values of MAX_COLLECTED and MAX_ESTIMATE that force each strategy. By default, so few jobs are always collected.
STRATEGIES = {"collect": (5000, 0), "scan": (2, 0), "probe": (2, 10_000)}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("name", FILTERS)
def test_all_pages_forwards_and_backwards(
    name: str, sort: str, strategy: str, many: list[Execution], people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MAX_COLLECTED", STRATEGIES[strategy][0])
    monkeypatch.setattr(paging, "PROBE_SIZE", 20)
    monkeypatch.setattr(paging, "MAX_ESTIMATE", STRATEGIES[strategy][1])
    batch = Batch.objects.get().pk
    make, matches = FILTERS[name]
    by, is_listed = SORTED[sort]
    wanted = sorted((j for j in many if matches(j, people, batch) and is_listed(j)), key=by)
    filters, order, size = make(people, batch), ORDERS[sort], 17
    pages: list[list[uuid.UUID]] = []
    after = None
    while True:
        found = page(filters, order, size=size, after=after)
        pages.append(found.ids)
        assert found.has_before == (after is not None)
        if not found.has_after:
            break
        after = found.ids[-1]
    assert [pk for ids in pages for pk in ids] == [job.pk for job in wanted]
    for earlier, later in itertools.pairwise(pages):
        back = page(filters, order, size=size, before=later[0])
        assert back.ids == earlier
        assert back.has_after


def test_common_words_are_found_by_probing_without_a_join(
    many: list[Execution], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the newest jobs were joined with all jobs, PostgreSQL would scan all of them for a word that never occurs."""
    monkeypatch.setattr(paging, "PROBE_SIZE", 20)
    with CaptureQueriesContext(connection) as queries:
        found = page(Filters(words="fog"), ORDERS["newest"], size=30)
    assert len(found.ids) == 30
    statements = [query["sql"] for query in queries]
    # First PROBE_SIZE jobs, then as many as should fill the page. Nothing is counted.
    assert len(statements) == 2
    assert all(sql.count('FROM "executions_execution"') == 1 for sql in statements)


def test_a_page_with_a_fixed_top_shows_nothing_newer(many: list[Execution]) -> None:
    top = many[120].pk
    fixed = page(Filters(), ORDERS["newest"], size=10, through=top)
    assert fixed.ids == [job.pk for job in many[120:110:-1]]
    assert count_newer(Filters(), top, 100) == 79
    assert count_newer(Filters(status=FilterChoice((FAILED,))), top, 100) == sum(
        job.status == FAILED for job in many[121:]
    )
    assert count_newer(Filters(), top, 5) == 5


@pytest.mark.parametrize("name", FILTERS)
def test_newer_jobs_are_counted_without_testing_each(
    name: str, many: list[Execution], people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty page counts from the beginning: on SQLite, that used to test the words in a million jobs."""
    monkeypatch.setattr(paging, "PROBE_SIZE", 20)
    batch = Batch.objects.get().pk
    make, matches = FILTERS[name]
    for position in (-1, 30, 190):
        top = many[position].pk if position >= 0 else uuid.UUID(int=0)
        newer = sum(matches(job, people, batch) for job in many[position + 1 :])
        with CaptureQueriesContext(connection) as queries:
            assert count_newer(make(people, batch), top, 15) == min(newer, 15)
        above = [query["sql"] for query in queries if '"executions_execution"."id" > ' in query["sql"]]
        assert all("LIMIT 21" in sql for sql in above) or position == 190, "only a few are tested one by one"


def test_all_matches_are_read_in_chunks(many: list[Execution], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "CHUNK", 30)
    assert list(iterate(Filters())) == [job.pk for job in reversed(many)]
    with CaptureQueriesContext(connection) as captured:
        rows = iterate(Filters())
        for _ in range(30):
            next(rows)
    assert len(captured) == 1, "only consumed chunks are read"


def test_an_unknown_position_shows_the_first_page(many: list[Execution]) -> None:
    first = page(Filters(), ORDERS["longest"], size=10)
    assert page(Filters(), ORDERS["longest"], size=10, after=uuid.uuid4()).ids == first.ids


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("name", FILTERS)
def test_no_page_uses_an_offset_or_an_unlimited_count(
    name: str, sort: str, many: list[Execution], people: Any
) -> None:
    with CaptureQueriesContext(connection) as captured:
        page(FILTERS[name][0](people, Batch.objects.get().pk), ORDERS[sort], size=17, after=many[100].pk)
    for query in captured.captured_queries:
        assert "OFFSET" not in query["sql"]
        assert "COUNT(*)" not in query["sql"] or "LIMIT" in query["sql"], "a count without a limit"
    assert len(captured) <= 12
