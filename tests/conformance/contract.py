"""Validates responses against openapi.yaml. All schemas are closed, so that misspelt fields are detected too."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

HERE = Path(__file__).resolve().parent
_BASE = "urn:videogen-contract"
_METHODS = ("get", "post", "put", "delete")
_LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    pattern: re.Pattern[str]
    tags: tuple[str, ...]
    responses: dict[str, Any]
    pointer: str


@cache
def document() -> dict[str, Any]:
    return yaml.safe_load((HERE / "openapi.yaml").read_text(encoding="utf-8"))


@cache
def operations() -> tuple[Operation, ...]:
    found = []
    for path, item in document()["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                pattern = re.compile(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path)))
                escaped = path.replace("~", "~0").replace("/", "~1")
                found.append(
                    Operation(
                        operation["operationId"],
                        method.upper(),
                        path,
                        pattern,
                        tuple(operation.get("tags", ())),
                        operation["responses"],
                        f"#/paths/{escaped}/{method}",
                    )
                )
    # Paths without parameters first: /v1/files/search is not a file with the id "search".
    return tuple(sorted(found, key=lambda each: each.path.count("{")))


def operation_of(method: str, path: str) -> Operation | None:
    return next(
        (each for each in operations() if each.method == method and each.pattern.fullmatch(path)), None
    )


def schema_errors(pointer: str, body: Any) -> list[str]:
    """The validation errors of a body, for the schema at that JSON pointer."""
    validator = Draft202012Validator(
        {"$ref": _BASE + pointer}, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def response_errors(response: httpx.Response) -> list[str]:
    """The errors of a response: unknown operation, undocumented status, invalid body or missing header."""
    method, path = response.request.method, response.request.url.path
    operation = operation_of(method, path)
    if operation is None:
        return [f"{method} {path} is not in the contract"]
    status = str(response.status_code)
    if status not in operation.responses:
        return [f"{operation.id}: status {status} is not in the contract"]
    pointer = f"{operation.pointer}/responses/{status}"
    documented = _resolved(operation.responses[status])
    if "$ref" in operation.responses[status]:
        pointer = operation.responses[status]["$ref"]
    errors = [f"header {name} is missing" for name in _LIMIT_HEADERS if name not in response.headers]
    if "content" in documented:
        errors += schema_errors(f"{pointer}/content/application~1json/schema", json.loads(response.content))
    elif response.content:
        errors.append("a body where none is documented")
    return [f"{operation.id} {status}: {error}" for error in errors]


def event_errors(body: dict[str, Any]) -> list[str]:
    event = body["event"].replace("~", "~0").replace("/", "~1")
    return schema_errors(f"#/webhooks/{event}/post/requestBody/content/application~1json/schema", body)


def examples() -> Iterator[tuple[str, str, str]]:
    """Name, file and JSON pointer of the schema of each example in the document."""

    def walk(node: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
        if isinstance(node, dict):
            if "schema" in node and isinstance(node.get("examples"), dict):
                for name, example in node["examples"].items():
                    yield name, example["externalValue"], f"{pointer}/schema"
            for key, value in node.items():
                escaped = str(key).replace("~", "~0").replace("/", "~1")
                yield from walk(value, f"{pointer}/{escaped}")

    yield from walk(document(), "#")


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


@cache
def _registry() -> Registry:
    closed = copy.deepcopy(document())
    _close(closed["components"]["schemas"])
    return Registry().with_resource(_BASE, Resource.from_contents(closed, default_specification=DRAFT202012))


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)
