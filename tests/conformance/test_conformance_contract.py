"""The judge itself: the examples pass, and it notices what is wrong."""

from __future__ import annotations

import json

import pytest

from tests.conformance import contract


@pytest.mark.parametrize(("name", "file", "place"), sorted(contract.examples()))
def test_examples_are_as_described_and_mistakes_are_noticed(name: str, file: str, place: str) -> None:
    body = json.loads((contract.HERE / file).read_text(encoding="utf-8"))
    assert contract.problems(place, body) == []
    assert contract.problems(place, {**body, "noSuchProperty": 1}) != []


def test_each_example_is_used() -> None:
    named = {(contract.HERE / file).name for _, file, _ in contract.examples()}
    assert {file.name for file in (contract.HERE / "examples").glob("*.json")} == named


def test_paths_without_parameters_win() -> None:
    found = contract.operation_of("POST", "/v1/files/search")
    assert found is not None
    assert found.id == "searchFiles"
    assert contract.operation_of("PATCH", "/v1/files/search") is None
