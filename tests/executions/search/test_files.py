"""The search for files: all strategies find the same names, and use only indexes."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from executions.models import File
from executions.search import files as file_search
from executions.search.text import parse
from executions.search.text.matching import IndexMatch, RawCondition
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file

NAMES = (
    "The red door.png",
    "Door, red",
    "Reddish doors at dusk",
    "Ærø harbour",
    "HARBOUR 100%",
    "a_b under_score",
    "back\\slash",
    'it\'s "quoted"',
    "灯台",
    "",
)
TYPED = (
    *(
        "red",
        "RED door",
        '"red door"',
        "red -door",
        "-door",
        "door.",
        "do",
        "at",
        "ær",
        "HARB",
        "harbour -100",
    ),
    *("100%", "a_b", "_score", "back\\", '"', "-", "'", "灯台", "🌊", "nothing", "", "%%%", "red\x00door"),
)


def expected(typed: str) -> set[str]:
    """The names that match, found without a database."""
    terms = parse(typed)
    return {name for name in NAMES if all(_has(name, term) for term in terms)}


def _has(name: str, term: Any) -> bool:
    import re

    return bool(re.search(term.pattern, name, re.IGNORECASE)) != term.is_excluded


def names(ids: list[uuid.UUID]) -> set[str]:
    return set(File.objects.filter(pk__in=ids).values_list("display_name", flat=True))


# Values of PROBE_SIZE and MAX_COLLECTED that force each strategy.
STRATEGIES = {"probe": (1000, 1000), "collect": (0, 1000), "scan": (0, 0)}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("typed", TYPED)
def test_all_strategies_find_the_same(typed: str, strategy: str, db: None, monkeypatch: Any) -> None:
    for name in NAMES:
        file(display_name=name)
    monkeypatch.setattr(file_search, "PROBE_SIZE", STRATEGIES[strategy][0])
    monkeypatch.setattr(file_search, "MAX_COLLECTED", STRATEGIES[strategy][1])
    assert names(file_search.find(File.objects.in_library(), {}, typed, 100)) == expected(typed)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_pages_are_newest_first_without_gaps(strategy: str, db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(file_search, "PROBE_SIZE", STRATEGIES[strategy][0])
    monkeypatch.setattr(file_search, "MAX_COLLECTED", STRATEGIES[strategy][1])
    wanted = []
    for number in range(12):
        made = file(display_name=f"pier {number}", type="IMAGE" if number % 3 else "VIDEO")
        if made.type == "IMAGE":
            wanted.append(made.pk)
    file(display_name="pier, archived", type="IMAGE", archived_at=timezone.now())
    rows = File.objects.in_library()
    found: list[uuid.UUID] = []
    while page := file_search.find(rows, {"type": "IMAGE"}, "pier", 3, found[-1] if found else None):
        found += page
    assert found == wanted[::-1]


def test_a_renamed_file_is_found_by_its_new_name(db: None) -> None:
    made = file(display_name="a lighthouse")
    File.objects.filter(pk=made.pk).update(display_name="a windmill")
    rows = File.objects.filter(IndexMatch("display_name", parse("windmill")))
    assert list(rows) == [made]
    assert not File.objects.filter(IndexMatch("display_name", parse("lighthouse"))).exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's query plans")
def test_every_combination_of_filters_uses_a_covering_index(db: None, people: Any) -> None:
    given = {"type": "IMAGE", "scope": "GLOBAL", "source_tool": "generate-image", "created_by": people.ann}
    for count in range(1, len(given) + 1):
        for some in itertools.combinations(given, count):
            rows = File.objects.in_library().filter(**{name: given[name] for name in some})
            plan = rows.newest_first().values_list("pk", flat=True)[:10].explain()
            assert "USING COVERING INDEX file_of_" in plan, some
            assert "TEMP B-TREE" not in plan, some


@pytest.mark.parametrize("limit", [0, 1, 1000])
def test_combined_filters_find_the_same_whether_few_or_many_match(
    limit: int, ann_browser: Browser, monkeypatch: Any
) -> None:
    monkeypatch.setattr(file_search, "MAX_COLLECTED", limit)
    for number in range(6):
        file(type="IMAGE", scope="TEMPORARY" if number == 4 else "GLOBAL", created_by=ann_browser.user)
    wanted = file(type="VIDEO", scope="TEMPORARY", created_by=ann_browser.user)
    file(type="VIDEO", scope="TEMPORARY")
    given = {"created_by": ann_browser.user.pk, "scope": "TEMPORARY", "type": "VIDEO"}
    assert file_search.find(File.objects.in_library(), given, "", 10) == [wanted.pk]
    old = file(type="VIDEO", scope="TEMPORARY", created_by=ann_browser.user, archived_at=timezone.now())
    assert file_search.find(File.objects.archived(), given, "", 10) == [old.pk]
    given["type"] = "AUDIO"
    assert file_search.find(File.objects.in_library(), given, "", 10) == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's query plans")
def test_rare_words_use_the_search_index(db: None) -> None:
    plan = (
        File.objects.order_by()
        .filter(RawCondition(IndexMatch("display_name", parse("windmill"), 9)))
        .values("pk")
        .explain()
    )
    assert "SCAN executions_file" not in plan.replace("executions_file_display_name", "")
    assert "VIRTUAL TABLE INDEX" in plan


def test_the_library_page_finds_parts_of_names(ann_browser: Browser) -> None:
    file(display_name="The harbour at dusk")
    file(display_name="Fog")
    page = text(ann_browser.get("/files/?q=arbou"))
    assert "The harbour at dusk" in page
    assert "Fog" not in page.replace("Fog horn", "")
