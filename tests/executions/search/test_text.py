"""Text search in prompts: the index finds exactly what testing every row finds, and follows every change."""

from __future__ import annotations

import random

import pytest
from django.db import connection
from django.db.models import Q

from executions.models import Execution
from executions.search.text import highlight, matching, parse
from executions.search.text.columns import SEARCHED
from executions.search.text.indexes import create, ensure_all, is_complete, triggers
from executions.search.text.matching import IndexMatch, all_in_text
from executions.search.text.terms import Term, TermKind
from tests.factories.past_jobs import past_job, write

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
    write(*(past_job(number, prompt=prompt) for number, prompt in enumerate(PROMPTS)))


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
def test_words_phrases_and_parts_of_words_are_found(typed: str, wanted: set[int], prompts: None) -> None:
    assert found(typed) == sorted(PROMPTS[number] for number in wanted)


@pytest.mark.parametrize("typed", ["\x00", '"', "-", "--", "'; DROP TABLE x", "*", "^a NEAR b", "a:b", "(", "%" * 300, "\\", '""', "a" * 9000, "\ud83d", "AND OR NOT", "&|!:*"])  # fmt: skip
def test_any_input_is_accepted(typed: str, prompts: None) -> None:
    found(typed.encode("utf-8", "replace").decode())


def test_index_and_row_conditions_agree(prompts: None) -> None:
    """Random parts of random prompts, found by the index and row by row."""
    chance = random.Random(7)
    words = ["pier", "fog", "Gate", "märz", "ÖL", "uk", "x5", "light-house"]
    write(*(past_job(100 + n, prompt=" ".join(chance.choices(words, k=5))) for n in range(200)))
    for _ in range(60):
        prompt = " ".join(chance.choices(words, k=2))
        start = chance.randrange(len(prompt) - 1)
        terms = parse(prompt[start : start + chance.randint(1, 6)])
        if terms:
            by_index = set(Execution.objects.filter(IndexMatch("prompt", terms)).values_list("pk", flat=True))
            by_row = set(Execution.objects.filter(all_in_text("prompt", terms)).values_list("pk", flat=True))
            assert by_index == by_row, terms


def test_the_index_follows_every_change(prompts: None) -> None:
    Execution.objects.filter(prompt=PROMPTS[0]).update(prompt="A windmill in the fog")
    Execution.objects.filter(prompt=PROMPTS[3]).delete()
    assert found("lighthouse") == []
    assert found("windmill") == ["A windmill in the fog"]
    assert found('"red door"') == ["a red-door policy"]


@pytest.mark.django_db(transaction=True)
def test_migrate_repairs_an_incomplete_index(prompts: None) -> None:
    [searched] = [each for each in SEARCHED if each.column == "prompt"]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f'DROP TRIGGER "{next(iter(triggers(searched)))}"')
        else:
            cursor.execute(f'DROP INDEX "{searched.parts}"')
    write(past_job(50, prompt="a late lighthouse"))
    assert not is_complete(connection, searched)
    ensure_all(using="default")
    assert is_complete(connection, searched)
    assert found("lighthouse") == ["A lighthouse on a black cliff", "a late lighthouse"]


@pytest.mark.django_db(transaction=True)
def test_recreating_the_index_loses_nothing(prompts: None) -> None:
    for each in SEARCHED:
        create(connection, each)
    assert found("lighthouse") == ["A lighthouse on a black cliff"]


def test_a_query_is_parsed_into_at_most_eight_terms() -> None:
    assert parse('Fog -rain "Red  Door" uk fog') == (
        Term("fog", TermKind.PART),
        Term("rain", TermKind.PART, True),
        Term("red door", TermKind.WORDS),
        Term("uk", TermKind.START),
    )
    assert len(parse(" ".join(f"word{n}" for n in range(50)))) == 8


def test_matches_are_highlighted() -> None:
    assert highlight("A Lighthouse at dusk", parse("light dus")) == [
        ("A ", False),
        ("Light", True),
        ("house at ", False),
        ("dus", True),
        ("k", False),
    ]
    assert highlight("a red, door", parse('"red door"')) == [("a ", False), ("red, door", True)]
    assert highlight("nothing", parse("-thing")) == [("nothing", False)]
    assert highlight("", parse("x")) == [("", False)]


def test_an_excerpt_contains_the_first_match() -> None:
    long = "word " * 100 + "lighthouse " + "word " * 100
    pieces = highlight(long, parse("lighthouse"), length=120)
    assert ("lighthouse", True) in pieces
    assert len("".join(words for words, _ in pieces)) <= 122


def test_an_index_match_combines_with_other_conditions(prompts: None) -> None:
    rows = Execution.objects.filter(Q(tool="generate-image"), IndexMatch("prompt", parse("light")))
    assert rows.filter(status="succeeded").count() == 2


def test_sqlite_uses_the_index(prompts: None) -> None:
    """If the condition were compared with True, SQLite would read every row."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL may prefer a scan of this short table")
    plan = matching(Execution.objects.all(), "prompt", "lighthouse").explain()
    assert "SEARCH executions_execution USING INTEGER PRIMARY KEY (rowid=?)" in plan
