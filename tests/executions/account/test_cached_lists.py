"""The account's lists: read once in hours, and never delaying a page for long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.cache import cache

from executions.account import cached_lists, presenters, voices
from executions.core import runtime
from tests import steps
from tests.conftest import SandboxProcess

RESOURCES = "GET /v1/resources/*"
LIMIT = {"GET /v1/resources/*": 100_000}


@pytest.fixture
def service_account(sandbox: SandboxProcess) -> SandboxProcess:
    """The account, for views that run without an attached loop."""
    cache.clear()
    runtime.use_account(sandbox.api_key, sandbox.url)
    return sandbox


def call_count(sandbox: SandboxProcess) -> int:
    """The calls for lists since `watch`."""
    orders = sandbox.control("GET", "faults")["faults"]
    return sum(order["triggered"] for order in orders if order["match"] == RESOURCES)


def watch(sandbox: SandboxProcess) -> None:
    """Start counting the calls for lists, by a fault without effect."""
    steps.add_fault(sandbox, "slow", RESOURCES, seconds=0.0, count=None)


def test_only_voices_that_work_in_tools_are_listed(service_account: SandboxProcess) -> None:
    there = service_account.call("GET", "/v1/resources/tts-voices?limit=200").json()["ttsVoices"]
    usable = {
        each["voiceId"]
        for each in there
        if each["supportsDirectToolExecution"] and not each.get("isDeprecated")
    }

    found, problem = voices.usable()

    assert problem == ""
    assert {voice.voice_id for voice in found} == usable
    assert len(found) < len(there), (
        "the sandbox must have voices that do not work in tools, or this proves nothing"
    )
    assert found == sorted(found, key=lambda voice: (voice.language_code, voice.display_name))


def test_all_presenters_are_listed(service_account: SandboxProcess) -> None:
    found, problem = presenters.usable()

    assert problem == ""
    assert found
    assert all(presenter.presenter_id and presenter.thumbnail_url for presenter in found)


def test_a_list_is_read_once(service_account: SandboxProcess) -> None:
    watch(service_account)

    lists = [voices.usable() for _ in range(3)]

    assert lists[0] == lists[1] == lists[2]
    assert call_count(service_account) == 1


@pytest.mark.parametrize("usable", [voices.usable, presenters.usable])
def test_a_failed_read_is_reported_and_not_retried_at_once(
    service_account: SandboxProcess, usable: Any
) -> None:
    steps.add_fault(service_account, "unauthorized", RESOURCES, count=None)

    first, second = usable(), usable()

    assert first[0] == second[0] == []
    assert first[1].endswith(" could not be loaded. Try again in a moment.")
    assert call_count(service_account) == 1


def test_a_failed_read_is_retried_after_a_delay(
    service_account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_lists, "RETRY_AFTER", 0)
    steps.add_fault(service_account, "unauthorized", RESOURCES)

    assert voices.usable()[0] == []
    assert voices.usable()[0] != []


def test_a_page_waits_for_a_list_only_for_a_limited_time(
    service_account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_lists, "READ_TIMEOUT", 0.2)
    steps.add_fault(service_account, "slow", RESOURCES, seconds=1.5)

    found, problem = voices.usable()

    assert found == []
    assert problem


async def test_with_an_attached_loop_the_list_is_read_there(account: SandboxProcess) -> None:
    """A view runs in a thread beside the loop and shares the loop's connections."""
    found, problem = await asyncio.to_thread(voices.usable)

    assert problem == ""
    assert found
    assert asyncio.get_running_loop() in runtime._clients
