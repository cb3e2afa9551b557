"""Keys, limits, the catalogue of voices, webhook endpoints, and the form of refusals."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from tests.sandbox.running import KEY, SECOND_KEY, Running
from tests.waiting import eventually

ENDPOINTS = "/v1/webhooks/endpoints"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"Authorization": "Basic abc"}, "missing_api_key"),
        ({"Authorization": "Bearer"}, "missing_api_key"),
        ({"Authorization": "Bearer wrong"}, "invalid_api_key"),
        ({"Authorization": f"Bearer {KEY}x"}, "invalid_api_key"),
    ],
)
def test_a_key_is_needed(sandbox: Running, headers: dict[str, str], code: str) -> None:
    answer = httpx.get(f"{sandbox.url}/v1/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert int(answer.headers["x-ratelimit-limit"]) > 0


def test_me_tells_the_keys_apart_and_shows_neither(sandbox: Running) -> None:
    with sandbox.client_with(SECOND_KEY) as second:
        one, other = sandbox.client.get("/v1/me").json(), second.get("/v1/me").json()
    assert one["teamId"] == other["teamId"]
    assert one["apiKeyId"] != other["apiKeyId"]
    assert KEY not in str(one)


def test_every_answer_carries_the_limits_of_its_group(sandbox: Running) -> None:
    sandbox.order(limits={"GET /v1/resources/*": {"limit": 5, "seconds": 100}})
    for left in (4, 3):
        headers = sandbox.client.get("/v1/resources/tts-voices").headers
        assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("5", str(left))
        assert time.time() + 90 < int(headers["x-ratelimit-reset"]) <= time.time() + 102
    refused = sandbox.client.get("/v1/resources/tts-voices?limit=x")
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (400, "2")
    assert "x-ratelimit-limit" in sandbox.client.get("/v1/no/such/path").headers


def test_a_used_up_limit_is_refused_until_its_window_ends(sandbox: Running) -> None:
    sandbox.order(limits={"POST /v1/tools/*": {"limit": 1, "seconds": 3600}})
    body = {"ttsText": "hello"}
    assert sandbox.client.post("/v1/tools/text-to-speech", json=body).status_code == 202
    refused = sandbox.client.post("/v1/tools/text-to-speech", json=body)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    with sandbox.client_with(SECOND_KEY) as other:
        assert other.post("/v1/tools/text-to-speech", json=body).status_code == 202

    def status() -> int:
        return sandbox.client.post("/v1/tools/text-to-speech", json=body).status_code

    # However slow the machine is, there is one of these windows in which it asks twice.
    sandbox.order(limits={"POST /v1/tools/*": {"limit": 1, "seconds": 1}})
    eventually(status, lambda seen: seen == 429)
    eventually(status, lambda seen: seen == 202)


def test_the_key_comes_before_the_limit_and_the_limit_before_the_body(sandbox: Running) -> None:
    sandbox.order(limits={"POST /v1/tools/*": {"limit": 0}})
    path = f"{sandbox.url}/v1/tools/generate-image"
    assert httpx.post(path, content=b"{").status_code == 401
    assert sandbox.client.post(path, content=b"{").status_code == 429


def test_voices_have_what_the_dashboard_filters_by(sandbox: Running) -> None:
    voices = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"]
    assert len(voices) >= 12
    assert {voice["languageCode"][:2] for voice in voices} >= {"en", "de", "fr", "es", "it"}
    assert {voice["displayGender"] for voice in voices} == {"MALE", "FEMALE", "NEUTRAL"}
    assert any(not voice["supportsDirectToolExecution"] for voice in voices)
    assert not any(voice["isDeprecated"] for voice in voices)
    more = sandbox.client.get("/v1/resources/tts-voices?includeDeprecatedVoices=true").json()["ttsVoices"]
    assert sum(voice["isDeprecated"] for voice in more) == 1


def test_voices_can_be_searched_and_paged(sandbox: Running) -> None:
    found = sandbox.client.get("/v1/resources/tts-voices?query=BRITISH").json()["ttsVoices"]
    assert [voice["displayName"] for voice in found] == ["Imogen"]
    first = sandbox.client.get("/v1/resources/tts-voices?limit=3").json()
    second = sandbox.client.get(f"/v1/resources/tts-voices?limit=3&cursor={first['nextCursor']}").json()
    ids = [voice["voiceId"] for voice in first["ttsVoices"] + second["ttsVoices"]]
    assert len(ids) == len(set(ids)) == 6


def test_an_endpoint_shows_its_secret_once(launch) -> None:
    sandbox = launch()
    body = {"url": "http://localhost:9/hook", "events": ["tool_execution.succeeded"], "description": "mine"}
    answer = sandbox.client.post(ENDPOINTS, json=body)
    created = answer.json()
    assert answer.status_code == 201
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", created["signingSecret"])
    (listed,) = sandbox.client.get(ENDPOINTS).json()["endpoints"]
    assert listed == {name: value for name, value in created.items() if name != "signingSecret"}
    assert listed["signingSecretLast4"] == created["signingSecret"][-4:]
    gone = sandbox.client.delete(f"{ENDPOINTS}/{created['endpointId']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert sandbox.client.get(ENDPOINTS).json()["endpoints"] == []
    assert sandbox.client.delete(f"{ENDPOINTS}/{created['endpointId']}").status_code == 404
    assert sandbox.client.delete(f"{ENDPOINTS}/vg_file_x").json()["code"] == "invalid_id"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"events": ["tool_execution.failed"]}, "url"),
        ({"url": "ftp://x/y", "events": ["tool_execution.failed"]}, "url"),
        ({"url": "nonsense", "events": ["tool_execution.failed"]}, "url"),
        ({"url": "http://x/", "events": []}, "events"),
        ({"url": "http://x/"}, "events"),
        ({"url": "http://x/", "events": ["no.such"]}, "events"),
        ({"url": "http://x/", "events": "tool_execution.failed"}, "events"),
        ({"url": "http://x/", "events": ["tool_execution.failed"], "description": 1}, "description"),
    ],
)
def test_a_wrong_endpoint_is_refused(sandbox: Running, body: dict[str, object], named: str) -> None:
    sandbox.order(limits={"POST /v1/webhooks/endpoints": 100})
    answer = sandbox.client.post(ENDPOINTS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert answer.json()["message"].startswith(named)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/tools/generate-image", 405),
        ("DELETE", "/v1/me", 405),
        ("GET", "/", 404),
    ],
)
def test_wrong_paths_and_methods_answer_in_the_apis_own_form(
    sandbox: Running, method: str, path: str, status: int
) -> None:
    answer = sandbox.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["message"]
