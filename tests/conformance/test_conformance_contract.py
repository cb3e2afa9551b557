"""The contract itself: the examples are valid, and errors are detected."""

from __future__ import annotations

import json

import pytest

from tests.conformance import contract


@pytest.mark.parametrize(("name", "file", "pointer"), sorted(contract.examples()))
def test_examples_match_their_schemas_and_errors_are_detected(name: str, file: str, pointer: str) -> None:
    body = json.loads((contract.HERE / file).read_text(encoding="utf-8"))
    assert contract.schema_errors(pointer, body) == []
    assert contract.schema_errors(pointer, {**body, "noSuchProperty": 1}) != []


def test_each_example_is_used() -> None:
    named = {(contract.HERE / file).name for _, file, _ in contract.examples()}
    assert {file.name for file in (contract.HERE / "examples").glob("*.json")} == named


def test_paths_without_parameters_have_priority() -> None:
    operation = contract.operation_of("POST", "/v1/files/search")
    assert operation is not None
    assert operation.id == "searchFiles"
    assert contract.operation_of("PATCH", "/v1/files/search") is None
