"""Executions: statuses, progress, cancellation and the list."""

from __future__ import annotations

import base64
import json
import time

import pytest

from tests.sandbox.process import SECOND_KEY, SandboxServer
from tests.waiting import eventually

EXECUTIONS = "/v1/tools/executions"


def slow_jobs(sandbox: SandboxServer, seconds: float = 60, **more: object) -> None:
    sandbox.set_faults({"kind": "job", "seconds": seconds, **more})


def test_new_job_has_the_fields_of_every_api_version(sandbox: SandboxServer) -> None:
    slow_jobs(sandbox)
    first = sandbox.execution(started := sandbox.start(prompt="x"))
    assert first["status"] in ("pending", "running")
    assert first["toolType"] == "GENERATE_IMAGE"
    assert (first["results"], first["error"], first["attemptIndex"]) == ([], None, 0)
    sandbox.client.post(f"{EXECUTIONS}/{started}/cancel")


def test_third_job_waits_while_two_run(sandbox: SandboxServer) -> None:
    slow_jobs(sandbox)
    ids = [sandbox.start(prompt="x") for _ in range(3)]
    eventually(
        lambda: [sandbox.execution(each)["status"] for each in ids],
        lambda seen: seen == ["running", "running", "pending"],
    )
    sandbox.client.post(f"{EXECUTIONS}/{ids[0]}/cancel")
    eventually(lambda: sandbox.execution(ids[2])["status"], lambda seen: seen == "running")
    for each in ids:
        sandbox.client.post(f"{EXECUTIONS}/{each}/cancel")
        assert sandbox.wait_until_final(each)["status"] == "cancelled"


def test_progress_increases_to_100(sandbox: SandboxServer) -> None:
    # Long enough for five polls on a machine that takes a third of a second for each.
    slow_jobs(sandbox, 2)
    started = sandbox.start("text-to-speech", ttsText="progress")
    seen = [0.0]
    while (now := sandbox.execution(started))["status"] in ("pending", "running"):
        seen.append(now["progressPercentage"])
        time.sleep(0.05)  # progress has no event to wait for
    assert seen == sorted(seen)
    assert len(set(seen)) > 4
    assert 50 < max(seen) < 100
    assert now["progressPercentage"] == 100


def test_attempts_are_counted(sandbox: SandboxServer) -> None:
    slow_jobs(sandbox, 0.2, attempts=2)
    execution = sandbox.make("text-to-speech", ttsText="third time lucky")
    assert execution["attemptIndex"] == 2


def test_cancelled_job_stops_its_worker_and_leaves_no_file(sandbox: SandboxServer) -> None:
    before = sandbox.client.get("/v1/files").json()["files"]
    started = sandbox.start(prompt="many hills", numResults=100)
    eventually(lambda: sandbox.execution(started)["status"], lambda seen: seen == "running")
    response = sandbox.client.post(f"{EXECUTIONS}/{started}/cancel")
    assert (response.status_code, response.json()) == (202, {"toolExecutionId": started})
    execution = sandbox.wait_until_final(started)
    assert (execution["status"], execution["results"], execution["error"]) == ("cancelled", [], None)
    after = sandbox.client.get("/v1/files").json()["files"]
    assert [file["fileId"] for file in after] == [file["fileId"] for file in before]


def test_cancelling_a_final_job_changes_nothing(sandbox: SandboxServer) -> None:
    execution = sandbox.make("text-to-speech", ttsText="done")
    path = f"{EXECUTIONS}/{execution['toolExecutionId']}"
    assert sandbox.client.post(f"{path}/cancel").status_code == 202
    current = sandbox.execution(execution["toolExecutionId"])
    assert (current["status"], current["progressPercentage"]) == ("succeeded", 100)
    assert [each["fileId"] for each in current["results"]] == [
        each["fileId"] for each in execution["results"]
    ]


def test_job_can_ignore_a_cancel_request(sandbox: SandboxServer) -> None:
    slow_jobs(sandbox, 0.4, ignore_cancel=True)
    started = sandbox.start("text-to-speech", ttsText="too late")
    eventually(lambda: sandbox.execution(started)["status"], lambda seen: seen == "running")
    assert sandbox.client.post(f"{EXECUTIONS}/{started}/cancel").status_code == 202
    assert sandbox.wait_until_final(started)["status"] == "succeeded"
    truth = sandbox.client.get("/sandbox/truth").json()["executions"]
    assert next(each for each in truth if each["toolExecutionId"] == started)["cancelRequestedAt"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_ids_are_validated(sandbox: SandboxServer, method: str) -> None:
    def status(execution_id: str) -> tuple[int, str | None]:
        tail = "/cancel" if method == "post" else ""
        response = getattr(sandbox.client, method)(f"{EXECUTIONS}/{execution_id}{tail}")
        return response.status_code, response.json()["code"]

    assert status("vg_exec_nothing") == (404, None)
    assert status("vg_file_nothing") == (400, "invalid_id")
    assert status("vg_exec_") == (400, "invalid_id")
    assert status("x" * 300) == (400, "invalid_id")


def test_a_job_can_wait_for_approval_and_succeed_without_results(sandbox: SandboxServer) -> None:
    slow_jobs(sandbox, 0.5, status="awaiting_approval", without_results=True)
    started = sandbox.start("text-to-speech", ttsText="approval")
    eventually(lambda: sandbox.execution(started)["status"], lambda seen: seen == "awaiting_approval")
    execution = sandbox.wait_until_final(started)
    assert (execution["status"], execution["results"]) == ("succeeded", [])


def test_a_held_job_runs_until_the_fault_is_removed(sandbox: SandboxServer) -> None:
    slow_jobs(sandbox, 0, hold=True, match="text-to-speech")
    held = sandbox.start("text-to-speech", ttsText="held")
    sandbox.make("generate-sound-effect", prompt="not held")
    assert sandbox.execution(held)["status"] == "running"
    sandbox.set_faults()
    assert sandbox.wait_until_final(held)["status"] == "succeeded"


def test_list_is_paginated_newest_first(sandbox: SandboxServer) -> None:
    ids = [sandbox.start("text-to-speech", ttsText=f"number {each}") for each in range(7)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = sandbox.client.get(EXECUTIONS, params={"limit": 2, **cursor}).json()
        assert len(page["toolExecutions"]) == 2
        seen += [each["toolExecutionId"] for each in page["toolExecutions"]]
        assert page["hasMore"]
        cursor = {"cursor": page["nextCursor"]}
    assert seen == ids[:0:-1]
    everything = sandbox.client.get(EXECUTIONS, params={"limit": 200}).json()
    assert (everything["hasMore"], everything["nextCursor"]) == (False, None)


def test_faults_with_different_options_combine(sandbox: SandboxServer) -> None:
    sandbox.set_faults(
        {"kind": "job", "fail": "quota"}, {"kind": "job", "seconds": 0}, {"kind": "job", "attempts": 1}
    )
    execution = sandbox.wait_until_final(sandbox.start("text-to-speech", ttsText="one"))
    assert (execution["status"], execution["error"]["code"]) == ("failed", "quota")
    assert execution["attemptIndex"] == 1


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=-1", "limit=1.0", "cursor=nonsense", "selfOnly=1"]
)
def test_invalid_query_parameters_are_rejected(sandbox: SandboxServer, query: str) -> None:
    response = sandbox.client.get(f"{EXECUTIONS}?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
    assert query.split("=")[0] in response.json()["message"]


def test_cursor_with_a_huge_number_is_rejected(sandbox: SandboxServer) -> None:
    forged = json.dumps(["executions", 10**400, "x"]).encode()
    cursor = base64.urlsafe_b64encode(forged).decode().rstrip("=")
    response = sandbox.client.get(EXECUTIONS, params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")


def test_cursor_is_valid_for_its_own_list_only(sandbox: SandboxServer) -> None:
    sandbox.start("text-to-speech", ttsText="one")
    sandbox.start("text-to-speech", ttsText="two")
    cursor = sandbox.client.get(EXECUTIONS, params={"limit": 1}).json()["nextCursor"]
    assert sandbox.client.get(EXECUTIONS, params={"cursor": cursor}).status_code == 200
    assert sandbox.client.get("/v1/files", params={"cursor": cursor}).status_code == 400


def test_self_only_excludes_executions_of_other_keys(sandbox: SandboxServer) -> None:
    mine = sandbox.start("text-to-speech", ttsText="mine")
    with sandbox.client_with(SECOND_KEY) as other:
        everyone = other.get(EXECUTIONS, params={"limit": 200}).json()["toolExecutions"]
        own = other.get(EXECUTIONS, params={"selfOnly": "true"}).json()["toolExecutions"]
        assert other.get(f"{EXECUTIONS}/{mine}").status_code == 200
    assert mine in [each["toolExecutionId"] for each in everyone]
    assert mine not in [each["toolExecutionId"] for each in own]
