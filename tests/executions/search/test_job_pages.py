"""Pages of the history: whatever the filters, the order and the way that is taken, they hold what a plain sort holds."""

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
from executions.search.jobs import NO_CODE, ORDERS, Choice, Filters, count_newer, every, page, paging
from tests.factories.past_jobs import BEGAN, past, write
from tests.factories.people import People, team
from tests.factories.shared import shared

pytestmark = pytest.mark.django_db
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"


@pytest.fixture(scope="module")
def past_jobs(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[People, list[Execution]]]:
    """The people and their jobs, written once: hundreds of tests only look for them."""

    def build() -> tuple[People, list[Execution]]:
        people = team()
        return people, jobs_of(people)

    with shared(django_db_blocker, build) as built:
        yield built


@pytest.fixture
def people(past_jobs: tuple[People, list[Execution]]) -> People:
    return past_jobs[0]


@pytest.fixture
def many(past_jobs: tuple[People, list[Execution]]) -> list[Execution]:
    return past_jobs[1]


def jobs_of(people: People) -> list[Execution]:
    """200 jobs of every sort, the oldest first."""
    chance = random.Random(3)
    batch = Batch.objects.create(name="Storyboard", tool="generate-image", size=1)
    jobs = []
    for number in range(200):
        status = chance.choice([SUCCEEDED] * 6 + [FAILED, CANCELLED])
        code = chance.choice(["timed_out", "moderation_refused", None]) if status == FAILED else None
        jobs.append(
            past(
                number,
                status=status,
                error_code=code,
                tool=chance.choice(["generate-image", "text-to-speech", "vectorize-image"]),
                created_by_id=chance.choice([people.ann.pk, people.ben.pk, people.ada.pk]),
                # Many take as long as another: then the id decides.
                duration=float(chance.choice([1, 2, 5, 60])),
                batch=batch if chance.random() < 0.1 else None,
                prompt=" ".join(chance.choices(["fog", "pier", "lighthouse", "uk", "gate"], k=3)),
            )
        )
    for job in jobs[::40]:
        job.origin, job.created_by_id = "elsewhere", None
    return write(*jobs)


# Each with what it lets through, said in Python.
FILTERS: dict[str, tuple[Callable[[Any, Any], Filters], Callable[[Execution, Any, Any], bool]]] = {
    "nothing": (lambda p, b: Filters(), lambda j, p, b: True),
    "one status": (lambda p, b: Filters(status=Choice((FAILED,))), lambda j, p, b: j.status == FAILED),
    "two statuses": (
        lambda p, b: Filters(status=Choice((FAILED, CANCELLED))),
        lambda j, p, b: j.status in (FAILED, CANCELLED),
    ),
    "without a status": (
        lambda p, b: Filters(status=Choice((), (SUCCEEDED,))),
        lambda j, p, b: j.status != SUCCEEDED,
    ),
    "a person and not a tool": (
        lambda p, b: Filters(person=Choice((p.ann.pk,)), tool=Choice((), ("text-to-speech",))),
        lambda j, p, b: j.created_by_id == p.ann.pk and j.tool != "text-to-speech",
    ),
    "without a person": (
        lambda p, b: Filters(person=Choice((), (p.ann.pk,))),
        lambda j, p, b: j.created_by_id != p.ann.pk,
    ),
    "a batch": (lambda p, b: Filters(batch=Choice((b,))), lambda j, p, b: j.batch_id == b),
    "without a batch": (lambda p, b: Filters(batch=Choice((), (b,))), lambda j, p, b: j.batch_id != b),
    "a code": (
        lambda p, b: Filters(error=Choice(("timed_out",))),
        lambda j, p, b: j.error_code == "timed_out",
    ),
    "without a code": (
        lambda p, b: Filters(error=Choice((), ("timed_out",))),
        lambda j, p, b: j.error_code != "timed_out",
    ),
    "failed without a code": (
        lambda p, b: Filters(error=Choice((NO_CODE,))),
        lambda j, p, b: j.status == FAILED and j.error_code is None,
    ),
    "a code, or failed without one": (
        lambda p, b: Filters(error=Choice(("timed_out", NO_CODE))),
        lambda j, p, b: j.error_code == "timed_out" or (j.status == FAILED and j.error_code is None),
    ),
    "not what failed without a code": (
        lambda p, b: Filters(error=Choice((), (NO_CODE,))),
        lambda j, p, b: j.status != FAILED or j.error_code is not None,
    ),
    "elsewhere": (lambda p, b: Filters(origin="elsewhere"), lambda j, p, b: j.origin == "elsewhere"),
    "here, and it took long": (
        lambda p, b: Filters(origin="here", at_least=5),
        lambda j, p, b: j.origin == "here" and j.duration >= 5,
    ),
    "a span of both kinds": (
        lambda p, b: Filters(at_least=2, less_than=60, since=BEGAN, until=BEGAN.replace(hour=14)),
        lambda j, p, b: 2 <= j.duration < 60 and BEGAN <= j.created_at < BEGAN.replace(hour=14),
    ),
    "words": (
        lambda p, b: Filters(words="light -gate uk"),
        lambda j, p, b: "light" in j.prompt and "gate" not in j.prompt and "uk" in j.prompt,
    ),
    "words and all else": (
        lambda p, b: Filters(
            words="fog", tool=Choice(("generate-image", "vectorize-image")), status=Choice((SUCCEEDED,))
        ),
        lambda j, p, b: "fog" in j.prompt and j.tool != "text-to-speech" and j.status == SUCCEEDED,
    ),
    "what nothing is": (lambda p, b: Filters(status=Choice(("asleep",))), lambda j, p, b: False),
}
SORTED: dict[str, tuple[Callable[[Execution], Any], Callable[[Execution], bool]]] = {
    "newest": (lambda j: -j.pk.int, lambda j: True),
    "oldest": (lambda j: j.pk.int, lambda j: True),
    "longest": (lambda j: (-j.duration, -j.pk.int), lambda j: True),
    "shortest": (lambda j: (j.duration, j.pk.int), lambda j: True),
    "person": (lambda j: (j.created_by_id, -j.pk.int), lambda j: j.created_by_id is not None),
    "-person": (lambda j: (-j.created_by_id, -j.pk.int), lambda j: j.created_by_id is not None),
}


# With few jobs everything would be gathered: where two are too many, everything is walked, or looked at first.
WAYS = {"gather": (5000, 0), "walk": (2, 0), "look": (2, 10_000)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("name", FILTERS)
def test_every_page_there_and_back(
    name: str, sort: str, way: str, many: list[Execution], people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MOST", WAYS[way][0])
    monkeypatch.setattr(paging, "WINDOW", 20)
    monkeypatch.setattr(paging, "FAR", WAYS[way][1])
    batch = Batch.objects.get().pk
    make, lets_through = FILTERS[name]
    by, has_place = SORTED[sort]
    wanted = sorted((j for j in many if lets_through(j, people, batch) and has_place(j)), key=by)
    filters, order, size = make(people, batch), ORDERS[sort], 17
    walked: list[list[uuid.UUID]] = []
    after = None
    while True:
        found = page(filters, order, size=size, after=after)
        walked.append(found.ids)
        assert found.has_before == (after is not None)
        if not found.has_after:
            break
        after = found.ids[-1]
    assert [pk for ids in walked for pk in ids] == [job.pk for job in wanted]
    for earlier, later in itertools.pairwise(walked):
        back = page(filters, order, size=size, before=later[0])
        assert back.ids == earlier
        assert back.has_after


def test_words_are_looked_for_in_the_newest_without_a_second_look_at_the_table(
    many: list[Execution], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join of the newest jobs with all jobs has PostgreSQL walk through all of them for a word that is nowhere."""
    monkeypatch.setattr(paging, "WINDOW", 20)
    with CaptureQueriesContext(connection) as asked:
        found = page(Filters(words="fog"), ORDERS["newest"], size=30)
    assert len(found.ids) == 30
    looks = [query["sql"] for query in asked]
    # As many of the newest as hold some of them, then as many as should hold a page of them; nothing is counted.
    assert len(looks) == 2
    assert all(sql.count('FROM "executions_execution"') == 1 for sql in looks)


def test_a_page_that_is_held_still_shows_nothing_newer(many: list[Execution]) -> None:
    top = many[120].pk
    held = page(Filters(), ORDERS["newest"], size=10, through=top)
    assert held.ids == [job.pk for job in many[120:110:-1]]
    assert count_newer(Filters(), top, 100) == 79
    assert count_newer(Filters(status=Choice((FAILED,))), top, 100) == sum(
        job.status == FAILED for job in many[121:]
    )
    assert count_newer(Filters(), top, 5) == 5


@pytest.mark.parametrize("name", FILTERS)
def test_what_is_new_is_counted_without_a_test_of_each_job_since(
    name: str, many: list[Execution], people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that found nothing waits for its first job: on SQLite words were tested in a million jobs for it."""
    monkeypatch.setattr(paging, "WINDOW", 20)
    batch = Batch.objects.get().pk
    make, lets_through = FILTERS[name]
    for place in (-1, 30, 190):
        top = many[place].pk if place >= 0 else uuid.UUID(int=0)
        newer = sum(lets_through(job, people, batch) for job in many[place + 1 :])
        with CaptureQueriesContext(connection) as asked:
            assert count_newer(make(people, batch), top, 15) == min(newer, 15)
        above = [query["sql"] for query in asked if '"executions_execution"."id" > ' in query["sql"]]
        assert all("LIMIT 21" in sql for sql in above) or place == 190, "only a few are tested one by one"


def test_everything_is_found_in_chunks(many: list[Execution], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "CHUNK", 30)
    assert list(every(Filters())) == [job.pk for job in reversed(many)]
    with CaptureQueriesContext(connection) as captured:
        rows = every(Filters())
        for _ in range(30):
            next(rows)
    assert len(captured) == 1, "no more is read than is asked for"


def test_a_place_that_is_gone_begins_again(many: list[Execution]) -> None:
    first = page(Filters(), ORDERS["longest"], size=10)
    assert page(Filters(), ORDERS["longest"], size=10, after=uuid.uuid4()).ids == first.ids


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("name", FILTERS)
def test_no_page_counts_or_skips(name: str, sort: str, many: list[Execution], people: Any) -> None:
    with CaptureQueriesContext(connection) as captured:
        page(FILTERS[name][0](people, Batch.objects.get().pk), ORDERS[sort], size=17, after=many[100].pk)
    for query in captured.captured_queries:
        assert "OFFSET" not in query["sql"]
        assert "COUNT(*)" not in query["sql"] or "LIMIT" in query["sql"], "a count has a bound"
    assert len(captured) <= 12
