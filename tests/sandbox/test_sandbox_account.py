"""API keys, rate limits, voices, webhook endpoints and error responses."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from tests.sandbox.process import KEY, SECOND_KEY, SandboxServer
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
def test_api_key_is_required(sandbox: SandboxServer, headers: dict[str, str], code: str) -> None:
    response = httpx.get(f"{sandbox.url}/v1/me", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, code)
    assert int(response.headers["x-ratelimit-limit"]) > 0


def test_me_distinguishes_keys_without_exposing_them(sandbox: SandboxServer) -> None:
    with sandbox.client_with(SECOND_KEY) as second:
        one, other = sandbox.client.get("/v1/me").json(), second.get("/v1/me").json()
    assert one["teamId"] == other["teamId"]
    assert one["apiKeyId"] != other["apiKeyId"]
    assert KEY not in str(one)


def test_every_response_has_the_rate_limit_headers_of_its_group(sandbox: SandboxServer) -> None:
    sandbox.set_faults(limits={"GET /v1/resources/*": {"limit": 5, "seconds": 100}})
    for left in (4, 3):
        headers = sandbox.client.get("/v1/resources/tts-voices").headers
        assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("5", str(left))
        assert time.time() + 90 < int(headers["x-ratelimit-reset"]) <= time.time() + 102
    rejected = sandbox.client.get("/v1/resources/tts-voices?limit=x")
    assert (rejected.status_code, rejected.headers["x-ratelimit-remaining"]) == (400, "2")
    assert "x-ratelimit-limit" in sandbox.client.get("/v1/no/such/path").headers


def test_calls_over_the_limit_are_rejected_until_the_window_resets(sandbox: SandboxServer) -> None:
    sandbox.set_faults(limits={"POST /v1/tools/*": {"limit": 1, "seconds": 3600}})
    body = {"ttsText": "hello"}
    assert sandbox.client.post("/v1/tools/text-to-speech", json=body).status_code == 202
    rejected = sandbox.client.post("/v1/tools/text-to-speech", json=body)
    assert (rejected.status_code, rejected.json()["code"]) == (429, "rate_limited")
    assert rejected.headers["x-ratelimit-remaining"] == "0"
    with sandbox.client_with(SECOND_KEY) as other:
        assert other.post("/v1/tools/text-to-speech", json=body).status_code == 202

    def status() -> int:
        return sandbox.client.post("/v1/tools/text-to-speech", json=body).status_code

    # Even on a slow machine, two calls eventually happen within one of these windows.
    sandbox.set_faults(limits={"POST /v1/tools/*": {"limit": 1, "seconds": 1}})
    eventually(status, lambda seen: seen == 429)
    eventually(status, lambda seen: seen == 202)


def test_key_is_checked_before_limit_and_limit_before_body(sandbox: SandboxServer) -> None:
    sandbox.set_faults(limits={"POST /v1/tools/*": {"limit": 0}})
    path = f"{sandbox.url}/v1/tools/generate-image"
    assert httpx.post(path, content=b"{").status_code == 401
    assert sandbox.client.post(path, content=b"{").status_code == 429


def test_voices_have_the_fields_that_the_dashboard_filters_by(sandbox: SandboxServer) -> None:
    voices = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"]
    assert len(voices) >= 12
    assert {voice["languageCode"][:2] for voice in voices} >= {"en", "de", "fr", "es", "it"}
    assert {voice["displayGender"] for voice in voices} == {"MALE", "FEMALE", "NEUTRAL"}
    assert any(not voice["supportsDirectToolExecution"] for voice in voices)
    assert not any(voice["isDeprecated"] for voice in voices)
    more = sandbox.client.get("/v1/resources/tts-voices?includeDeprecatedVoices=true").json()["ttsVoices"]
    assert sum(voice["isDeprecated"] for voice in more) == 1


def test_voices_can_be_searched_and_paged(sandbox: SandboxServer) -> None:
    found = sandbox.client.get("/v1/resources/tts-voices?query=BRITISH").json()["ttsVoices"]
    assert [voice["displayName"] for voice in found] == ["Imogen"]
    first = sandbox.client.get("/v1/resources/tts-voices?limit=3").json()
    second = sandbox.client.get(f"/v1/resources/tts-voices?limit=3&cursor={first['nextCursor']}").json()
    ids = [voice["voiceId"] for voice in first["ttsVoices"] + second["ttsVoices"]]
    assert len(ids) == len(set(ids)) == 6


def test_endpoint_secret_is_shown_once(launch) -> None:
    sandbox = launch()
    body = {"url": "http://localhost:9/hook", "events": ["tool_execution.succeeded"], "description": "mine"}
    response = sandbox.client.post(ENDPOINTS, json=body)
    created = response.json()
    assert response.status_code == 201
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", created["signingSecret"])
    (listed,) = sandbox.client.get(ENDPOINTS).json()["endpoints"]
    assert listed == {name: value for name, value in created.items() if name != "signingSecret"}
    assert listed["signingSecretLast4"] == created["signingSecret"][-4:]
    deleted = sandbox.client.delete(f"{ENDPOINTS}/{created['endpointId']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert sandbox.client.get(ENDPOINTS).json()["endpoints"] == []
    assert sandbox.client.delete(f"{ENDPOINTS}/{created['endpointId']}").status_code == 404
    assert sandbox.client.delete(f"{ENDPOINTS}/vg_file_x").json()["code"] == "invalid_id"


@pytest.mark.parametrize(
    ("body", "field"),
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
def test_invalid_endpoints_are_rejected(sandbox: SandboxServer, body: dict[str, object], field: str) -> None:
    sandbox.set_faults(limits={"POST /v1/webhooks/endpoints": 100})
    response = sandbox.client.post(ENDPOINTS, json=body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
    assert response.json()["message"].startswith(field)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/tools/generate-image", 405),
        ("DELETE", "/v1/me", 405),
        ("GET", "/", 404),
    ],
)
def test_unknown_paths_and_methods_return_api_errors(
    sandbox: SandboxServer, method: str, path: str, status: int
) -> None:
    response = sandbox.client.request(method, path)
    assert response.status_code == status
    assert response.json()["message"]
