"""`manage.py webhooks`, for operators without a browser, with real calls to the sandbox."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from executions.models import WebhookEndpoint
from tests.conftest import SandboxProcess

URL = "https://rushes.example.org/webhooks/videogen/"
ENDPOINTS = "/v1/webhooks/endpoints"


@pytest.fixture
def account(sandbox: SandboxProcess, transactional_db: None, settings: Any) -> SandboxProcess:
    """An account without endpoints."""
    settings.USES_SANDBOX = False
    settings.PUBLIC_URL = "https://rushes.example.org"
    settings.VIDEOGEN_API_KEY, settings.VIDEOGEN_BASE_URL = sandbox.api_key, sandbox.url
    for each in sandbox.call("GET", ENDPOINTS).json()["endpoints"]:
        sandbox.call("DELETE", f"{ENDPOINTS}/{each['endpointId']}")
    return sandbox


def webhooks(*arguments: str) -> str:
    output = StringIO()
    call_command("webhooks", *arguments, stdout=output)
    return output.getvalue().strip()


def urls(account: SandboxProcess) -> list[str]:
    return [each["url"] for each in account.call("GET", ENDPOINTS).json()["endpoints"]]


def test_an_endpoint_is_registered_listed_rotated_and_deleted(account: SandboxProcess) -> None:
    registered = re.fullmatch(r"Registered (\S+) at (\S+) \(secret …(\S{4,5})\)\.", webhooks("register"))
    assert registered
    endpoint_id, url, last_characters = registered.groups()
    assert url == URL
    assert urls(account) == [URL]
    assert webhooks("list") == f"{endpoint_id}  {URL}  …{last_characters}  verified by Rushes"

    rotated = re.fullmatch(
        rf"(\S+) \(secret …(\S+)\) replaces {endpoint_id}\.", webhooks("rotate", endpoint_id)
    )
    assert rotated
    assert rotated[2] != last_characters
    assert urls(account) == [URL]

    assert webhooks("delete", rotated[1]) == f"Deleted {rotated[1]}."
    assert urls(account) == []


def test_endpoints_that_only_one_side_knows_are_listed_as_such(account: SandboxProcess) -> None:
    theirs = {"url": "https://elsewhere.example.org/", "events": ["tool_execution.succeeded"]}
    account.call("POST", ENDPOINTS, json=theirs)
    assert "external" in webhooks("list")
    webhooks("register", "--url", URL)
    [own] = WebhookEndpoint.objects.all()
    account.call("DELETE", f"{ENDPOINTS}/{own.remote_id}")
    [line] = [line for line in webhooks("list").splitlines() if own.remote_id in line]
    assert line.endswith("deleted at VideoGen")


def test_an_unknown_id_and_a_missing_url_are_errors(account: SandboxProcess, settings: Any) -> None:
    for act in ("rotate", "delete"):
        with pytest.raises(CommandError, match="The account has no webhook endpoint vg_nothing"):
            webhooks(act, "vg_nothing")
    settings.PUBLIC_URL = ""
    with pytest.raises(CommandError, match="Set --url or PUBLIC_URL"):
        webhooks("register")
    with pytest.raises(CommandError, match="VideoGen rejected this: "):
        webhooks("register", "--url", "not a URL")
