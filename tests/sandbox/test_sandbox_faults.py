"""Each request fault does what it says, as often as it was told, and where it was told."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.running import KEY, Running
from tests.waiting import eventually

SPEECH = "/v1/tools/text-to-speech"
BODY = {"ttsText": "hello"}


def truth(sandbox: Running) -> list[str]:
    found = sandbox.client.get("/sandbox/truth").json()["executions"]
    return [each["toolExecutionId"] for each in found]


def post(sandbox: Running) -> httpx.Response:
    return sandbox.client.post(SPEECH, json=BODY)


@pytest.mark.parametrize(("kind", "started"), [("lost_before", 0), ("lost_after", 1)])
def test_a_lost_answer(sandbox: Running, kind: str, started: int) -> None:
    before = len(truth(sandbox))
    sandbox.order({"kind": kind, "match": "POST /v1/tools/*", "count": 1})
    # A closed connection is seen as its end or as a reset, whichever the client reads first.
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
def test_too_many_requests(sandbox: Running, hint: str, present: str, absent: str) -> None:
    before = len(truth(sandbox))
    sandbox.order({"kind": "rate_limited", "hint": hint, "seconds": 7, "count": 1})
    refused = post(sandbox)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert present in refused.headers
    assert absent not in refused.headers
    if hint == "retry_after":
        assert refused.headers["retry-after"] == "7"
    if hint == "reset":
        assert int(refused.headers["x-ratelimit-reset"]) == pytest.approx(time.time() + 7, abs=2)
    assert len(truth(sandbox)) == before
    assert post(sandbox).status_code == 202


def test_out_of_credits(sandbox: Running) -> None:
    sandbox.order({"kind": "rate_limited", "code": "insufficient_credits"})
    assert post(sandbox).json()["code"] == "insufficient_credits"


@pytest.mark.parametrize(
    ("more", "content"),
    [
        ({"status": 503}, None),
        ({"status": 502, "body": "<h1>Bad gateway</h1>"}, "<h1>Bad gateway</h1>"),
        ({"status": 409, "body": {"message": "no"}, "headers": {"X-Why": "because"}}, '{"message": "no"}'),
    ],
)
def test_a_chosen_status(sandbox: Running, more: dict[str, Any], content: str | None) -> None:
    before = len(truth(sandbox))
    sandbox.order({"kind": "status", **more})
    answer = post(sandbox)
    assert answer.status_code == more["status"]
    assert answer.text == content or (content is None and answer.json()["message"])
    assert answer.headers.get("x-why") == more.get("headers", {}).get("X-Why")
    assert len(truth(sandbox)) == before


def test_a_server_error_after_acceptance(sandbox: Running) -> None:
    before = len(truth(sandbox))
    sandbox.order({"kind": "status", "status": 504, "accepted": True})
    assert post(sandbox).status_code == 504
    assert len(truth(sandbox)) == before + 1


def test_slowness(sandbox: Running) -> None:
    sandbox.order({"kind": "slow", "seconds": 0.5, "match": "GET /v1/me"})
    began = time.monotonic()
    assert sandbox.client.get("/v1/me").status_code == 200
    assert time.monotonic() - began > 0.5
    with pytest.raises(httpx.ReadTimeout):
        sandbox.client.get("/v1/me", timeout=0.1)


def test_malformed_bodies(sandbox: Running) -> None:
    def answer(shape: str, **more: object) -> httpx.Response:
        sandbox.order({"kind": "malformed", "shape": shape, "count": 1, **more})
        got = post(sandbox)
        assert got.status_code == 202
        return got

    before = len(truth(sandbox))
    assert answer("html").text.startswith("<!doctype html>")
    with pytest.raises(json.JSONDecodeError):
        answer("truncated").json()
    assert "toolExecutionId" not in answer("no_id").json()
    assert len(answer("huge", bytes=3_000_000).content) > 3_000_000
    assert answer("empty").content == b""
    assert len(truth(sandbox)) == before + 5


def test_unauthorized_and_forbidden(sandbox: Running) -> None:
    sandbox.order({"kind": "unauthorized", "count": 1}, {"kind": "forbidden", "requirement": "upgrade_plan"})
    assert (post(sandbox).status_code, post(sandbox).status_code) == (401, 403)
    assert post(sandbox).json()["requirement"]["type"] == "upgrade_plan"


def test_a_fresh_id_is_not_known_yet(sandbox: Running) -> None:
    path = f"/v1/tools/executions/{sandbox.start('text-to-speech', **BODY)}"
    sandbox.order({"kind": "not_found", "younger_than": 3600, "match": "GET /v1/tools/executions/*"})
    assert sandbox.client.get(path).status_code == 404
    sandbox.order({"kind": "not_found", "younger_than": 0.1, "match": "GET /v1/tools/executions/*"})
    eventually(lambda: sandbox.client.get(path).status_code, lambda seen: seen == 200)


def test_unknown_status_and_fields(sandbox: Running) -> None:
    started = sandbox.start("text-to-speech", **BODY)
    sandbox.order({"kind": "unknown_status"}, {"kind": "unknown_fields", "fields": {"mood": "blue"}})
    seen = sandbox.execution(started)
    assert (seen["status"], seen["mood"]) == ("hibernating", "blue")
    listed = sandbox.client.get("/v1/tools/executions").json()["toolExecutions"]
    assert {each["status"] for each in listed} == {"hibernating"}


def test_media_can_be_refused_early(sandbox: Running) -> None:
    url = sandbox.make(prompt="x")["results"][0]["file"]["thumbnailSource"]["url"]
    sandbox.order({"kind": "status", "status": 403, "match": "GET /media/*", "count": 1})
    assert httpx.get(url).status_code == 403
    assert httpx.get(url).status_code == 200


def test_a_fault_strikes_where_and_as_often_as_it_was_told(sandbox: Running) -> None:
    sandbox.order({"kind": "status", "status": 500, "match": "GET /v1/me", "count": 2})
    assert sandbox.client.get("/v1/files").status_code == 200
    assert [sandbox.client.get("/v1/me").status_code for _ in range(3)] == [500, 500, 200]
    assert sandbox.client.get("/sandbox/faults").json()["faults"] == []


def test_a_fault_can_strike_by_chance(sandbox: Running) -> None:
    sandbox.order({"kind": "status", "status": 500, "probability": 0.5})
    seen = [sandbox.client.get("/v1/me").status_code for _ in range(60)]
    assert 10 < seen.count(500) < 50


@pytest.mark.parametrize(
    "order",
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
def test_a_wrong_order_changes_nothing(sandbox: Running, order: dict[str, Any]) -> None:
    sandbox.order({"kind": "slow", "seconds": 0})
    before = sandbox.client.get("/sandbox/faults").json()
    for method in ("PUT", "POST"):
        assert sandbox.client.request(method, "/sandbox/faults", json=order).status_code == 400
    assert sandbox.client.get("/sandbox/faults").json() == before


def test_orders_come_from_this_machine_only(sandbox: Running) -> None:
    foreign = httpx.get(f"{sandbox.url}/sandbox/truth", headers={"Host": "evil.example"})
    assert foreign.status_code == 403
    assert httpx.get(f"{sandbox.url}/sandbox/truth").status_code == 200
    assert KEY not in httpx.get(f"{sandbox.url}/sandbox/truth").text
