"""/metrics: its content and its access control."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from django.test import AsyncClient, Client

from executions.core.worker import Worker
from tests.dashboard.browsers import Browser
from tests.factories.jobs import job

TOKEN = {"authorization": "Bearer a-token-of-the-operators"}


def test_admins_and_the_token_have_access(
    client: Client, ann_browser: Browser, ada_browser: Browser, settings: Any
) -> None:
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 403, "no token is set"
    settings.METRICS_TOKEN = "a-token-of-the-operators"
    assert ada_browser.get("/metrics").status_code == 200
    assert ann_browser.get("/metrics").status_code == 403
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"authorization": "Bearer another"}).status_code == 403
    assert client.get("/metrics", headers=TOKEN).status_code == 200


def test_it_counts_jobs_and_deliveries(ada_browser: Browser, people: Any) -> None:
    def metrics() -> dict[str, float]:
        lines = ada_browser.get("/metrics").content.decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        }

    before = metrics()
    job(people.ann, "running")
    job(people.ann, "queued")
    ada_browser.post("/webhooks/videogen/", b"{}", content_type="application/json")
    after = metrics()
    assert after['rushes_jobs_in_flight{status="running"}'] == 1
    assert after['rushes_jobs_in_flight{status="queued"}'] == 1
    refused = 'rushes_webhook_deliveries_total{outcome="refused 401"}'
    assert after[refused] == before.get(refused, 0) + 1


async def test_it_reports_the_last_beat_of_each_worker(
    async_client: AsyncClient, settings: Any, db: None
) -> None:
    class Resting(Worker):
        name = "resting"

        async def step(self) -> None:
            return None

    settings.METRICS_TOKEN = "a-token-of-the-operators"
    began = time.time()
    running = asyncio.create_task(Resting().run())
    await asyncio.sleep(0)  # one turn of the loop, in which the worker starts
    body = (await async_client.get("/metrics", headers=TOKEN)).content.decode()
    running.cancel()
    await asyncio.wait([running])

    name = 'rushes_worker_last_beat_timestamp_seconds{worker="resting"} '
    [line] = [line for line in body.splitlines() if line.startswith(name)]
    assert began <= float(line.removeprefix(name)) <= time.time()
    after = (await async_client.get("/metrics", headers=TOKEN)).content.decode()
    assert 'worker="resting"' not in after, "it is no longer running"
