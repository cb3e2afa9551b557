"""Words in prompts: the index finds exactly what reading every prompt finds, and stays in step with the table."""

from __future__ import annotations

import random

import pytest
from django.db import connection
from django.db.models import Q

from executions.models import Execution
from executions.search.text import marked, matching, parse
from executions.search.text.columns import SEARCHED
from executions.search.text.indexes import create, ensure_all, stands, triggers
from executions.search.text.matching import Found, seen
from executions.search.text.terms import Kind, Term
from tests.factories.past_jobs import past, write

pytestmark = pytest.mark.django_db
PROMPTS = (
    "A lighthouse on a black cliff",
    "The LIGHT of the house",
    "Größe, ÄHREN und öl",
    "red door, blue door",
    "a red-door policy",
    "100 % cotton_and\\wool",
    'say "cheese"',
    "UK harbour at 5 o'clock",
    "灯台のある海岸",
    "",
)


def found(typed: str) -> list[str]:
    return sorted(matching(Execution.objects.all(), "prompt", typed).values_list("prompt", flat=True))


@pytest.fixture
def prompts() -> None:
    write(*(past(number, prompt=prompt) for number, prompt in enumerate(PROMPTS)))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("light house", {0, 1}),
        ("lighthouse", {0}),
        ("ighthou", {0}),
        ("größe", {2}),
        ("ähren ÖL", {2}),
        ('"red door"', {3, 4}),
        ('"door red"', set()),
        ("door -policy", {3}),
        ("-door -light", {2, 5, 6, 7, 8, 9}),
        ("uk", {7}),
        ("re", {3, 4}),
        ("k", set()),
        ("% cotton", {5}),
        ("cotton_and\\wool", {5}),
        ('"cheese"', {6}),
        ("o'clock", {7}),
        ("灯台の", {8}),
        ("… & —", set(range(10))),
        ("nothing of it", set()),
    ],
)
def test_what_is_found(typed: str, wanted: set[int], prompts: None) -> None:
    assert found(typed) == sorted(PROMPTS[number] for number in wanted)


@pytest.mark.parametrize("typed", ["\x00", '"', "-", "--", "'; DROP TABLE x", "*", "^a NEAR b", "a:b", "(", "%" * 300, "\\", '""', "a" * 9000, "\ud83d", "AND OR NOT", "&|!:*"])  # fmt: skip
def test_nothing_that_is_typed_breaks_it(typed: str, prompts: None) -> None:
    found(typed.encode("utf-8", "replace").decode())


def test_the_index_and_the_eye_agree(prompts: None) -> None:
    """Random parts of random prompts, by the index and row by row."""
    chance = random.Random(7)
    words = ["pier", "fog", "Gate", "märz", "ÖL", "uk", "x5", "light-house"]
    write(*(past(100 + n, prompt=" ".join(chance.choices(words, k=5))) for n in range(200)))
    for _ in range(60):
        prompt = " ".join(chance.choices(words, k=2))
        start = chance.randrange(len(prompt) - 1)
        terms = parse(prompt[start : start + chance.randint(1, 6)])
        if terms:
            by_index = set(Execution.objects.filter(Found("prompt", terms)).values_list("pk", flat=True))
            by_eye = set(Execution.objects.filter(seen("prompt", terms)).values_list("pk", flat=True))
            assert by_index == by_eye, terms


def test_the_index_follows_every_change(prompts: None) -> None:
    Execution.objects.filter(prompt=PROMPTS[0]).update(prompt="A windmill in the fog")
    Execution.objects.filter(prompt=PROMPTS[3]).delete()
    assert found("lighthouse") == []
    assert found("windmill") == ["A windmill in the fog"]
    assert found('"red door"') == ["a red-door policy"]


@pytest.mark.django_db(transaction=True)
def test_migrating_mends_an_index_that_a_rebuilt_table_has_lost(prompts: None) -> None:
    [searched] = [each for each in SEARCHED if each.column == "prompt"]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f'DROP TRIGGER "{next(iter(triggers(searched)))}"')
        else:
            cursor.execute(f'DROP INDEX "{searched.parts}"')
    write(past(50, prompt="a late lighthouse"))
    assert not stands(connection, searched)
    ensure_all(using="default")
    assert stands(connection, searched)
    assert found("lighthouse") == ["A lighthouse on a black cliff", "a late lighthouse"]


@pytest.mark.django_db(transaction=True)
def test_making_it_again_loses_nothing(prompts: None) -> None:
    for each in SEARCHED:
        create(connection, each)
    assert found("lighthouse") == ["A lighthouse on a black cliff"]


def test_a_term_is_read_as_it_was_meant() -> None:
    assert parse('Fog -rain "Red  Door" uk fog') == (
        Term("fog", Kind.PART),
        Term("rain", Kind.PART, True),
        Term("red door", Kind.WORDS),
        Term("uk", Kind.START),
    )
    assert len(parse(" ".join(f"word{n}" for n in range(50)))) == 8


def test_what_was_searched_for_is_marked() -> None:
    assert marked("A Lighthouse at dusk", parse("light dus")) == [
        ("A ", False),
        ("Light", True),
        ("house at ", False),
        ("dus", True),
        ("k", False),
    ]
    assert marked("a red, door", parse('"red door"')) == [("a ", False), ("red, door", True)]
    assert marked("nothing", parse("-thing")) == [("nothing", False)]
    assert marked("", parse("x")) == [("", False)]


def test_an_excerpt_shows_the_first_match() -> None:
    long = "word " * 100 + "lighthouse " + "word " * 100
    pieces = marked(long, parse("lighthouse"), length=120)
    assert ("lighthouse", True) in pieces
    assert len("".join(words for words, _ in pieces)) <= 122


def test_the_condition_joins_others(prompts: None) -> None:
    rows = Execution.objects.filter(Q(tool="generate-image"), Found("prompt", parse("light")))
    assert rows.filter(status="succeeded").count() == 2


def test_sqlite_asks_the_index(prompts: None) -> None:
    """A condition that is compared with True would have every row looked at."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL weighs the index against a table that is short here")
    plan = matching(Execution.objects.all(), "prompt", "lighthouse").explain()
    assert "SEARCH executions_execution USING INTEGER PRIMARY KEY (rowid=?)" in plan
