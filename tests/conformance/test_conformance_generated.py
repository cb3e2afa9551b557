"""Requests that schemathesis makes up from openapi.yaml: no server error, no status or body that is not described.

Bounded and repeatable: a few examples for each operation, always the same ones.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from sandbox.limits import NAMES
from tests.conformance.contract import answer_problems, document
from tests.sandbox.running import KEY, Running

EXAMPLES = 12
_BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _without_examples(node: Any) -> Any:
    """The examples lie in files of their own, which have their own test."""
    if isinstance(node, dict):
        return {name: _without_examples(value) for name, value in node.items() if name != "examples"}
    return [_without_examples(value) for value in node] if isinstance(node, list) else node


SCHEMA = schemathesis.openapi.from_dict(_without_examples(copy.deepcopy(document())))
OPERATIONS = {
    operation.label: operation for operation in (result.ok() for result in SCHEMA.get_all_operations())
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    """Roomy limits, and jobs that end at once without making anything."""
    running = Running("--speed", "50")
    running.order(limits=dict.fromkeys(NAMES, 1_000_000))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def real_ids(sandbox: Running) -> dict[str, str]:
    """Ids that name something, for the parameters of paths."""
    execution = sandbox.make("text-to-speech", ttsText="Hello.")
    roomy = [{"kind": "job", "seconds": 0, "fail": ""}]
    sandbox.client.post("/sandbox/faults", json={"faults": roomy}).raise_for_status()
    return {
        "toolExecutionId": execution["toolExecutionId"],
        "fileId": execution["results"][0]["fileId"],
    }


@pytest.mark.parametrize("label", OPERATIONS)
def test_made_up_requests_are_answered_as_described(
    sandbox: Running, real_ids: dict[str, str], label: str
) -> None:
    seen: set[int] = set()

    @_BOUNDED
    @given(case=OPERATIONS[label].as_strategy())
    def check(case: schemathesis.Case) -> None:
        seen.add(judged(sandbox, case))
        known = {name: value for name, value in real_ids.items() if name in (case.path_parameters or {})}
        if known:
            case.path_parameters.update(known)
            seen.add(judged(sandbox, case))

    check()
    assert seen


def judged(sandbox: Running, case: schemathesis.Case) -> int:
    """The status of the answer, after both judges have found nothing wrong with it."""
    response = case.call(base_url=sandbox.url, headers={"Authorization": f"Bearer {KEY}"})
    case.validate_response(
        response, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
    )
    headers = {name: values[0] for name, values in response.headers.items()}
    path = case.operation.path
    for name in case.path_parameters or {}:
        path = path.replace(f"{{{name}}}", "x")
    request = httpx.Request(case.method, sandbox.url + path)
    answer = httpx.Response(response.status_code, headers=headers, content=response.content, request=request)
    assert answer_problems(answer) == [], response.content
    return response.status_code


@pytest.mark.parametrize("path", ["/v1/files/vg_file_x", "/v1/tools/generate-image"])
def test_the_judges_would_notice(sandbox: Running, path: str) -> None:
    """The same judge refuses an answer that is not described."""
    sandbox.client.post(
        "/sandbox/faults", json={"faults": [{"kind": "status", "status": 418, "count": 1}]}
    ).raise_for_status()
    answer = sandbox.client.request("GET" if "files" in path else "POST", path, json={})
    assert answer.status_code == 418
    assert answer_problems(answer) != []
