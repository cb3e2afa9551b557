"""/healthz and /readyz: liveness and the state of dependencies, without signing in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.test import AsyncClient, Client

from dashboard.config.redis_cache import OPTIONS as cache_options
from executions.core import runtime
from executions.core.worker import Worker
from executions.limits import api_health as api_health
from executions.models import Execution
from tests.dashboard.browsers import Browser
from tests.factories.forms import form

pytestmark = pytest.mark.django_db


def readiness(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


def test_healthz_runs_no_queries(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer["Content-Type"] == "text/plain"


def test_readyz_lists_the_dependencies(client: Client) -> None:
    code, state = readiness(client)
    assert code == 200
    assert (state["database"], state["cache"], state["videogen_key"]) == ("ok", "ok", "ok")


def test_it_is_not_ready_without_the_database(client: Client) -> None:
    def unavailable(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the database is away")

    with connection.execute_wrapper(unavailable):
        code, state = readiness(client)
        assert client.get("/healthz").status_code == 200, "the process still lives"
    assert (code, state["database"]) == (503, "away")


@pytest.fixture
def _no_redis(settings: Any) -> None:
    """The cache is a Redis that does not respond."""
    settings.CACHES = {
        "default": {
            "BACKEND": "dashboard.config.redis_cache.Cache",
            "LOCATION": "redis://127.0.0.1:9/0",
            "OPTIONS": cache_options,
        }
    }


@pytest.mark.usefixtures("_no_redis")
def test_it_is_not_ready_without_the_cache(client: Client) -> None:
    code, state = readiness(client)
    assert (code, state["cache"]) == (503, "away")
    assert (state["database"], state["videogen_key"]) == ("ok", "ok")


@pytest.mark.usefixtures("_no_redis")
def test_pages_work_without_the_cache(
    ann_browser: Browser, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for url in ("/", "/tools/text-to-speech/", "/executions/"):
        assert ann_browser.get(url).status_code == 200
    wrong = client.post("/sign-in/", {"username": "ann", "password": "a guess"})
    assert wrong.status_code == 422
    assert [record.getMessage().count("Cache unavailable") for record in caplog.records].count(1) == 1, (
        "logged once"
    )


@pytest.mark.usefixtures("_no_redis")
async def test_a_start_is_not_lost_without_the_cache(account: Any, ann_browser: Browser) -> None:
    await ann_browser.apost("/tools/generate-image/", form())
    execution = await runtime.in_db(Execution.objects.get)
    assert execution.remote_id is not None


def test_a_rejected_key_is_reported_and_the_process_stays_ready(client: Client, ann_browser: Browser) -> None:
    cache.set(api_health.KEY_REJECTED, "The key was revoked.", None)
    code, state = readiness(client)
    assert (code, state["videogen_key"]) == (200, "refused")
    page = ann_browser.get("/").content.decode()
    assert "VideoGen rejects the API key: The key was revoked." in page


def test_it_reveals_no_secrets(client: Client, settings: Any) -> None:
    settings.VIDEOGEN_API_KEY = "a-key-that-must-stay-secret"
    body = client.get("/readyz").content.decode()
    assert "a-key-that-must-stay-secret" not in body
    assert settings.SECRET_KEY not in body


class Hanging(Worker):
    name = "hanging"
    max_step = 0.0

    async def step(self) -> None:
        await asyncio.Event().wait()


async def test_it_lists_the_workers_of_this_process(async_client: AsyncClient) -> None:
    class Resting(Hanging):
        name = "resting"
        max_step = 3600.0

    running = [asyncio.create_task(each.run()) for each in (Hanging(), Resting())]
    await asyncio.sleep(0)  # one turn of the loop, in which the workers start
    answer = await async_client.get("/readyz")
    for task in running:
        task.cancel()
    await asyncio.wait(running)

    assert (answer.status_code, answer.json()["workers"]) == (200, {"hanging": "late", "resting": "ok"})
    assert (await async_client.get("/readyz")).json()["workers"] == {}, "no worker is running"
