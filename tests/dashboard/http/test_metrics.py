"""/metrics: what it tells, and to whom."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from django.test import AsyncClient, Client

from executions.core.worker import Worker
from tests.dashboard.browsers import Browser
from tests.factories.jobs import job

TOKEN = {"authorization": "Bearer a-token-of-the-operators"}


def test_it_is_for_admins_and_for_the_token(
    client: Client, ann_browser: Browser, ada_browser: Browser, settings: Any
) -> None:
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 403, "no token is set"
    settings.METRICS_TOKEN = "a-token-of-the-operators"
    assert ada_browser.get("/metrics").status_code == 200
    assert ann_browser.get("/metrics").status_code == 403
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"authorization": "Bearer another"}).status_code == 403
    assert client.get("/metrics", headers=TOKEN).status_code == 200


def test_it_counts_what_happens(ada_browser: Browser, people: Any) -> None:
    def told() -> dict[str, float]:
        lines = ada_browser.get("/metrics").content.decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        }

    before = told()
    job(people.ann, "running")
    job(people.ann, "queued")
    ada_browser.post("/webhooks/videogen/", b"{}", content_type="application/json")
    after = told()
    assert after['rushes_jobs_in_flight{status="running"}'] == 1
    assert after['rushes_jobs_in_flight{status="queued"}'] == 1
    refused = 'rushes_webhook_deliveries_total{outcome="refused 401"}'
    assert after[refused] == before.get(refused, 0) + 1


async def test_it_tells_when_each_worker_last_showed_that_it_lives(
    async_client: AsyncClient, settings: Any, db: None
) -> None:
    class Resting(Worker):
        name = "resting"

        async def step(self) -> None:
            return None

    settings.METRICS_TOKEN = "a-token-of-the-operators"
    began = time.time()
    at_work = asyncio.create_task(Resting().run())
    await asyncio.sleep(0)  # a turn of the loop, in which the worker begins
    told = (await async_client.get("/metrics", headers=TOKEN)).content.decode()
    at_work.cancel()
    await asyncio.wait([at_work])

    name = 'rushes_worker_last_beat_timestamp_seconds{worker="resting"} '
    [line] = [line for line in told.splitlines() if line.startswith(name)]
    assert began <= float(line.removeprefix(name)) <= time.time()
    after = (await async_client.get("/metrics", headers=TOKEN)).content.decode()
    assert 'worker="resting"' not in after, "it does not run any more"
