"""Request faults: their effects, counts and matches."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.process import KEY, SandboxServer
from tests.waiting import eventually

SPEECH = "/v1/tools/text-to-speech"
BODY = {"ttsText": "hello"}


def truth(sandbox: SandboxServer) -> list[str]:
    found = sandbox.client.get("/sandbox/truth").json()["executions"]
    return [each["toolExecutionId"] for each in found]


def post(sandbox: SandboxServer) -> httpx.Response:
    return sandbox.client.post(SPEECH, json=BODY)


@pytest.mark.parametrize(("kind", "started"), [("lost_before", 0), ("lost_after", 1)])
def test_a_response_is_lost_before_or_after_the_job_starts(
    sandbox: SandboxServer, kind: str, started: int
) -> None:
    before = len(truth(sandbox))
    sandbox.set_faults({"kind": kind, "match": "POST /v1/tools/*", "count": 1})
    # The client sees a closed connection either as end of stream or as a reset.
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post(sandbox)
    assert len(truth(sandbox)) == before + started
    assert post(sandbox).status_code == 202


@pytest.mark.parametrize(
    ("hint", "present", "absent"),
    [
        ("retry_after", "retry-after", "none"),
        ("reset", "x-ratelimit-reset", "retry-after"),
        ("none", "content-type", "x-ratelimit-reset"),
    ],
)
def test_a_rate_limited_call_learns_when_to_retry(
    sandbox: SandboxServer, hint: str, present: str, absent: str
) -> None:
    before = len(truth(sandbox))
    sandbox.set_faults({"kind": "rate_limited", "hint": hint, "seconds": 7, "count": 1})
    sent_at = time.time()
    rejected = post(sandbox)
    assert (rejected.status_code, rejected.json()["code"]) == (429, "rate_limited")
    assert present in rejected.headers
    assert absent not in rejected.headers
    if hint == "retry_after":
        assert rejected.headers["retry-after"] == "7"
    if hint == "reset":
        assert sent_at + 7 <= int(rejected.headers["x-ratelimit-reset"]) <= time.time() + 8
    assert len(truth(sandbox)) == before
    assert post(sandbox).status_code == 202


def test_a_rate_limited_call_can_name_used_up_credits(sandbox: SandboxServer) -> None:
    sandbox.set_faults({"kind": "rate_limited", "code": "insufficient_credits"})
    assert post(sandbox).json()["code"] == "insufficient_credits"


@pytest.mark.parametrize(
    ("more", "content"),
    [
        ({"status": 503}, None),
        ({"status": 502, "body": "<h1>Bad gateway</h1>"}, "<h1>Bad gateway</h1>"),
        ({"status": 409, "body": {"message": "no"}, "headers": {"X-Why": "because"}}, '{"message": "no"}'),
    ],
)
def test_a_custom_status_replaces_the_response(
    sandbox: SandboxServer, more: dict[str, Any], content: str | None
) -> None:
    before = len(truth(sandbox))
    sandbox.set_faults({"kind": "status", **more})
    response = post(sandbox)
    assert response.status_code == more["status"]
    assert response.text == content or (content is None and response.json()["message"])
    assert response.headers.get("x-why") == more.get("headers", {}).get("X-Why")
    assert len(truth(sandbox)) == before


def test_a_server_error_can_hide_an_acceptance(sandbox: SandboxServer) -> None:
    before = len(truth(sandbox))
    sandbox.set_faults({"kind": "status", "status": 504, "accepted": True})
    assert post(sandbox).status_code == 504
    assert len(truth(sandbox)) == before + 1


def test_a_slow_response_takes_the_given_time(sandbox: SandboxServer) -> None:
    sandbox.set_faults({"kind": "slow", "seconds": 0.5, "match": "GET /v1/me"})
    started_at = time.monotonic()
    assert sandbox.client.get("/v1/me").status_code == 200
    assert time.monotonic() - started_at > 0.5
    with pytest.raises(httpx.ReadTimeout):
        sandbox.client.get("/v1/me", timeout=0.1)


def test_a_malformed_response_still_starts_a_job(sandbox: SandboxServer) -> None:
    def response(shape: str, **more: object) -> httpx.Response:
        sandbox.set_faults({"kind": "malformed", "shape": shape, "count": 1, **more})
        result = post(sandbox)
        assert result.status_code == 202
        return result

    before = len(truth(sandbox))
    assert response("html").text.startswith("<!doctype html>")
    with pytest.raises(json.JSONDecodeError):
        response("truncated").json()
    assert "toolExecutionId" not in response("no_id").json()
    assert len(response("huge", bytes=3_000_000).content) > 3_000_000
    assert response("empty").content == b""
    assert len(truth(sandbox)) == before + 5


def test_calls_can_be_unauthorized_or_forbidden(sandbox: SandboxServer) -> None:
    sandbox.set_faults(
        {"kind": "unauthorized", "count": 1}, {"kind": "forbidden", "requirement": "upgrade_plan"}
    )
    assert (post(sandbox).status_code, post(sandbox).status_code) == (401, 403)
    assert post(sandbox).json()["requirement"]["type"] == "upgrade_plan"


def test_new_id_is_not_found_at_first(sandbox: SandboxServer) -> None:
    path = f"/v1/tools/executions/{sandbox.start('text-to-speech', **BODY)}"
    sandbox.set_faults({"kind": "not_found", "younger_than": 3600, "match": "GET /v1/tools/executions/*"})
    assert sandbox.client.get(path).status_code == 404
    sandbox.set_faults({"kind": "not_found", "younger_than": 0.1, "match": "GET /v1/tools/executions/*"})
    eventually(lambda: sandbox.client.get(path).status_code, lambda seen: seen == 200)


def test_responses_can_have_unknown_statuses_and_fields(sandbox: SandboxServer) -> None:
    started = sandbox.start("text-to-speech", **BODY)
    sandbox.set_faults({"kind": "unknown_status"}, {"kind": "unknown_fields", "fields": {"mood": "blue"}})
    seen = sandbox.execution(started)
    assert (seen["status"], seen["mood"]) == ("hibernating", "blue")
    listed = sandbox.client.get("/v1/tools/executions").json()["toolExecutions"]
    assert {each["status"] for each in listed} == {"hibernating"}


def test_media_downloads_can_fail(sandbox: SandboxServer) -> None:
    url = sandbox.make(prompt="x")["results"][0]["file"]["thumbnailSource"]["url"]
    sandbox.set_faults({"kind": "status", "status": 403, "match": "GET /media/*", "count": 1})
    assert httpx.get(url).status_code == 403
    assert httpx.get(url).status_code == 200


def test_fault_applies_to_its_match_and_count(sandbox: SandboxServer) -> None:
    sandbox.set_faults({"kind": "status", "status": 500, "match": "GET /v1/me", "count": 2})
    assert sandbox.client.get("/v1/files").status_code == 200
    assert [sandbox.client.get("/v1/me").status_code for _ in range(3)] == [500, 500, 200]
    assert sandbox.client.get("/sandbox/faults").json()["faults"] == []


def test_fault_applies_with_a_probability(sandbox: SandboxServer) -> None:
    sandbox.set_faults({"kind": "status", "status": 500, "probability": 0.5})
    seen = [sandbox.client.get("/v1/me").status_code for _ in range(60)]
    assert 10 < seen.count(500) < 50


@pytest.mark.parametrize(
    "body",
    [
        {"faults": [{"kind": "earthquake"}]},
        {"faults": [{"kind": "slow", "seconds": -1}]},
        {"faults": [{"kind": "slow", "speed": 1}]},
        {"faults": [{"kind": "slow", "count": 0}]},
        {"faults": [{"kind": "slow", "probability": 2}]},
        {"faults": [{"kind": "slow", "match": 5}]},
        {"faults": {}},
        {"faults": ["slow"]},
        {"limits": {"GET /v1/unknown": 5}},
        {"limits": {"POST /v1/tools/*": "few"}},
        {"urlLifetimeSeconds": "long"},
        {"fault": []},
    ],
)
def test_invalid_faults_change_nothing(sandbox: SandboxServer, body: dict[str, Any]) -> None:
    sandbox.set_faults({"kind": "slow", "seconds": 0})
    before = sandbox.client.get("/sandbox/faults").json()
    for method in ("PUT", "POST"):
        assert sandbox.client.request(method, "/sandbox/faults", json=body).status_code == 400
    assert sandbox.client.get("/sandbox/faults").json() == before


def test_control_interface_accepts_local_calls_only(sandbox: SandboxServer) -> None:
    foreign = httpx.get(f"{sandbox.url}/sandbox/truth", headers={"Host": "evil.example"})
    assert foreign.status_code == 403
    assert httpx.get(f"{sandbox.url}/sandbox/truth").status_code == 200
    assert KEY not in httpx.get(f"{sandbox.url}/sandbox/truth").text
