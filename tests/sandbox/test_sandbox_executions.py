"""The life of a job: waiting, running, ending, being cancelled; and the listing."""

from __future__ import annotations

import time

import pytest

from tests.sandbox.running import SECOND_KEY, Running
from tests.waiting import eventually

EXECUTIONS = "/v1/tools/executions"


def slow_jobs(sandbox: Running, seconds: float = 60, **more: object) -> None:
    sandbox.order({"kind": "job", "seconds": seconds, **more})


def test_a_new_job_has_the_fields_of_every_era(sandbox: Running) -> None:
    slow_jobs(sandbox)
    first = sandbox.execution(started := sandbox.start(prompt="x"))
    assert first["status"] in ("pending", "running")
    assert first["toolType"] == "GENERATE_IMAGE"
    assert (first["results"], first["error"], first["attemptIndex"]) == ([], None, 0)
    sandbox.client.post(f"{EXECUTIONS}/{started}/cancel")


def test_two_run_and_the_third_waits(sandbox: Running) -> None:
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
        assert sandbox.finished(each)["status"] == "cancelled"


def test_progress_rises_to_a_hundred(sandbox: Running) -> None:
    # Long enough for five looks on a machine that takes a third of a second for each.
    slow_jobs(sandbox, 2)
    started = sandbox.start("text-to-speech", ttsText="progress")
    seen = [0.0]
    while (now := sandbox.execution(started))["status"] in ("pending", "running"):
        seen.append(now["progressPercentage"])
        time.sleep(0.05)  # nothing tells of progress: it is what this looks at
    assert seen == sorted(seen)
    assert len(set(seen)) > 4
    assert 50 < max(seen) < 100
    assert now["progressPercentage"] == 100


def test_further_attempts_are_counted(sandbox: Running) -> None:
    slow_jobs(sandbox, 0.2, attempts=2)
    ended = sandbox.make("text-to-speech", ttsText="third time lucky")
    assert ended["attemptIndex"] == 2


def test_a_cancelled_job_stops_its_worker_and_leaves_no_file(sandbox: Running) -> None:
    before = sandbox.client.get("/v1/files").json()["files"]
    started = sandbox.start(prompt="many hills", numResults=100)
    eventually(lambda: sandbox.execution(started)["status"], lambda seen: seen == "running")
    answer = sandbox.client.post(f"{EXECUTIONS}/{started}/cancel")
    assert (answer.status_code, answer.json()) == (202, {"toolExecutionId": started})
    ended = sandbox.finished(started)
    assert (ended["status"], ended["results"], ended["error"]) == ("cancelled", [], None)
    after = sandbox.client.get("/v1/files").json()["files"]
    assert [file["fileId"] for file in after] == [file["fileId"] for file in before]


def test_cancelling_what_has_ended_changes_nothing(sandbox: Running) -> None:
    ended = sandbox.make("text-to-speech", ttsText="done")
    path = f"{EXECUTIONS}/{ended['toolExecutionId']}"
    assert sandbox.client.post(f"{path}/cancel").status_code == 202
    again = sandbox.execution(ended["toolExecutionId"])
    assert (again["status"], again["progressPercentage"]) == ("succeeded", 100)
    assert [each["fileId"] for each in again["results"]] == [each["fileId"] for each in ended["results"]]


def test_a_cancel_can_come_too_late(sandbox: Running) -> None:
    slow_jobs(sandbox, 0.4, ignore_cancel=True)
    started = sandbox.start("text-to-speech", ttsText="too late")
    eventually(lambda: sandbox.execution(started)["status"], lambda seen: seen == "running")
    assert sandbox.client.post(f"{EXECUTIONS}/{started}/cancel").status_code == 202
    assert sandbox.finished(started)["status"] == "succeeded"
    truth = sandbox.client.get("/sandbox/truth").json()["executions"]
    assert next(each for each in truth if each["toolExecutionId"] == started)["cancelAskedAt"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_ids_are_checked(sandbox: Running, method: str) -> None:
    def status(execution_id: str) -> tuple[int, str | None]:
        tail = "/cancel" if method == "post" else ""
        answer = getattr(sandbox.client, method)(f"{EXECUTIONS}/{execution_id}{tail}")
        return answer.status_code, answer.json()["code"]

    assert status("vg_exec_nothing") == (404, None)
    assert status("vg_file_nothing") == (400, "invalid_id")
    assert status("vg_exec_") == (400, "invalid_id")
    assert status("x" * 300) == (400, "invalid_id")


def test_a_job_can_wait_for_approval_and_succeed_without_results(sandbox: Running) -> None:
    slow_jobs(sandbox, 0.5, status="awaiting_approval", without_results=True)
    started = sandbox.start("text-to-speech", ttsText="may I")
    eventually(lambda: sandbox.execution(started)["status"], lambda seen: seen == "awaiting_approval")
    ended = sandbox.finished(started)
    assert (ended["status"], ended["results"]) == ("succeeded", [])


def test_the_listing_pages_newest_first(sandbox: Running) -> None:
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


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=-1", "limit=1.0", "cursor=nonsense", "selfOnly=1"]
)
def test_a_wrong_query_is_refused(sandbox: Running, query: str) -> None:
    answer = sandbox.client.get(f"{EXECUTIONS}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert query.split("=")[0] in answer.json()["message"]


def test_a_cursor_belongs_to_its_listing(sandbox: Running) -> None:
    sandbox.start("text-to-speech", ttsText="one")
    sandbox.start("text-to-speech", ttsText="two")
    cursor = sandbox.client.get(EXECUTIONS, params={"limit": 1}).json()["nextCursor"]
    assert sandbox.client.get(EXECUTIONS, params={"cursor": cursor}).status_code == 200
    assert sandbox.client.get("/v1/files", params={"cursor": cursor}).status_code == 400


def test_self_only_leaves_out_the_rest_of_the_team(sandbox: Running) -> None:
    mine = sandbox.start("text-to-speech", ttsText="mine")
    with sandbox.client_with(SECOND_KEY) as other:
        everybody = other.get(EXECUTIONS, params={"limit": 200}).json()["toolExecutions"]
        own = other.get(EXECUTIONS, params={"selfOnly": "true"}).json()["toolExecutions"]
        assert other.get(f"{EXECUTIONS}/{mine}").status_code == 200
    assert mine in [each["toolExecutionId"] for each in everybody]
    assert mine not in [each["toolExecutionId"] for each in own]
