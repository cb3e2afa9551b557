"""Texts, comments and names are plain English: no turn of phrase that the glossary replaced, no vague constant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.language import odd_turns, repeated_classes, vague_constants
from tests.house.source_tree import ROOT
from tests.house.test_house_sources import tracked

# They list the words that are replaced.
QUOTING = frozenset(
    {"CHANGELOG.md", "docs/glossary.md", "tests/house/language.py", "tests/house/test_house_language.py"}
)
# Migrations are never edited.
SOURCES = [path for path in tracked(ROOT) if "migrations" not in path.parts]
MODULES = [path for path in SOURCES if path.suffix == ".py"]


def test_no_replaced_turn_of_phrase_is_used() -> None:
    assert odd_turns(ROOT, SOURCES, QUOTING) == []


def test_constants_say_what_they_bound() -> None:
    assert vague_constants(ROOT, MODULES) == []


def test_a_class_name_is_used_once_per_package() -> None:
    assert (
        repeated_classes(ROOT, [path for path in MODULES if path.parts[0] in {"executions", "dashboard"}])
        == []
    )


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [
        ("The job is asked after again.", True),
        ("def is_told_again(): ...", True),
        ("Nobody waits for it.", True),
        ("It goes on afterwards.", True),
        ("A window of its own.", True),
        ("def test_it_has_a_page_of_its_own(): ...", True),
        ('path("people/", name="person-shut-out")', True),
        ('path("people/shut-out/", name="person-deactivate")', False),
        ("The job is polled again.", False),
        ("It moves on to the next page.", False),
        ("Workers take in turn what is queued.", False),
    ],
)
def test_odd_turns_are_found(tmp_path: Path, text: str, is_odd: bool) -> None:
    (tmp_path / "module.py").write_text(text, encoding="utf-8")
    assert bool(odd_turns(tmp_path, [Path("module.py")])) is is_odd
    assert odd_turns(tmp_path, [Path("module.py")], frozenset({"module.py"})) == []


@pytest.mark.parametrize(
    ("name", "is_vague"),
    [
        ("MOST_ROWS", True),
        ("MAX_ROWS", False),
        ("JOBS_AT_ONCE", True),
        ("LONG_AGO", True),
        ("WINDOW", True),
        ("_WINDOW", True),
        ("UNDO_WINDOW", False),
        ("FULL", True),
        ("DISK_FULL_MESSAGE", False),
    ],
)
def test_vague_constants_are_found(tmp_path: Path, name: str, is_vague: bool) -> None:
    (tmp_path / "one.py").write_text(f"{name} = 3\n", encoding="utf-8")
    (tmp_path / "two.py").write_text(f"{name}: int = 3\n", encoding="utf-8")
    (tmp_path / "three.py").write_text(f"MAX_ROWS, {name} = 3, 4\n", encoding="utf-8")
    files = [Path("one.py"), Path("two.py"), Path("three.py")]
    assert vague_constants(tmp_path, files) == ([f"{file}: {name}" for file in files] if is_vague else [])


def test_repeated_classes_are_found(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            f"class Page: ...\nclass Of_{name}:\n class Row: ...\n class Meta: ...\n", encoding="utf-8"
        )
    files = [Path("one.py"), Path("two.py")]
    (tmp_path / "room").mkdir()
    for file in files:
        (tmp_path / file).rename(tmp_path / "room" / file)
    assert repeated_classes(tmp_path, ["room" / file for file in files]) == [
        "Page: room/one.py, room/two.py",
        "Row: room/one.py, room/two.py",
    ]
