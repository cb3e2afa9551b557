"""What the account offers to choose from: asked for once in hours, and never in the way of a page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.cache import cache

from executions.account import cached_lists, presenters, voices
from executions.core import runtime
from tests.conftest import SandboxProcess
from tests.executions import service

RESOURCES = "GET /v1/resources/*"
LIMIT = {"GET /v1/resources/*": 100_000}


@pytest.fixture
def offered(sandbox: SandboxProcess) -> SandboxProcess:
    """The account for views that run without a server's loop."""
    cache.clear()
    runtime.use_account(sandbox.api_key, sandbox.url)
    return sandbox


def asked(sandbox: SandboxProcess) -> int:
    orders = sandbox.control("GET", "faults")["faults"]
    return sum(order["struck"] for order in orders if order["match"] == RESOURCES)


def watch(sandbox: SandboxProcess) -> None:
    """Count the calls for lists, without disturbing them."""
    service.order(sandbox, "slow", RESOURCES, seconds=0.0, count=None)


def test_the_voices_are_those_that_speak_in_tools(offered: SandboxProcess) -> None:
    there = offered.call("GET", "/v1/resources/tts-voices?limit=200").json()["ttsVoices"]
    usable = {
        each["voiceId"]
        for each in there
        if each["supportsDirectToolExecution"] and not each.get("isDeprecated")
    }

    found, problem = voices.usable()

    assert problem == ""
    assert {voice.voice_id for voice in found} == usable
    assert len(found) < len(there), "the stand-in has voices that do not work here, or this proves nothing"
    assert found == sorted(found, key=lambda voice: (voice.language_code, voice.display_name))


def test_the_presenters_are_all_there(offered: SandboxProcess) -> None:
    found, problem = presenters.usable()

    assert problem == ""
    assert found
    assert all(presenter.presenter_id and presenter.thumbnail_url for presenter in found)


def test_a_list_is_asked_for_once(offered: SandboxProcess) -> None:
    watch(offered)

    lists = [voices.usable() for _ in range(3)]

    assert lists[0] == lists[1] == lists[2]
    assert asked(offered) == 1


@pytest.mark.parametrize("usable", [voices.usable, presenters.usable])
def test_a_list_that_cannot_be_read_is_said_so_and_left_alone_for_a_moment(
    offered: SandboxProcess, usable: Any
) -> None:
    service.order(offered, "unauthorized", RESOURCES, count=None)

    first, second = usable(), usable()

    assert first[0] == second[0] == []
    assert "could not be read" in first[1]
    assert asked(offered) == 1


def test_after_the_moment_it_is_asked_for_again(
    offered: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_lists, "PAUSE", 0)
    service.order(offered, "unauthorized", RESOURCES)

    assert voices.usable()[0] == []
    assert voices.usable()[0] != []


def test_a_page_waits_for_a_list_only_so_long(
    offered: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_lists, "PATIENCE", 0.2)
    service.order(offered, "slow", RESOURCES, seconds=1.5)

    found, problem = voices.usable()

    assert found == []
    assert problem


async def test_with_a_servers_loop_the_list_is_read_there(account: SandboxProcess) -> None:
    """A view runs in a thread beside the loop, and shares the loop's connections."""
    found, problem = await asyncio.to_thread(voices.usable)

    assert problem == ""
    assert found
    assert asyncio.get_running_loop() in runtime._clients
