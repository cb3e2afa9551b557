"""Time from a webhook to the open pages, compared with the official client's polling helper on the same jobs."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from selectolax.lexbor import LexborHTMLParser
from videogen import VideoGenApi

from benchmarks.deliveries import RECEIVER, succeeded
from benchmarks.load import Connection, post
from benchmarks.pages import Pages, pages
from benchmarks.product import ROOT, Rushes, Sandbox, folder, free_port, rushes, sandbox
from benchmarks.table import Figure, at_least, at_most, info, percentile

SOCKETS = 50
DELIVERIES = 100
WARM_UP, WATCHED = 4, 16
HELPERS = 2  # per job, each started at a random moment
# Slower than the sandbox's usual speed, so that most jobs finish while no others are being started.
SPEED = 0.3
EVENTS = ["tool_execution.succeeded", "tool_execution.failed", "tool_execution.cancelled"]


def measure() -> list[Figure]:
    with folder() as place, sandbox(place, SPEED) as service:
        client = VideoGenApi(token=service.key, base_url=service.url)
        port = free_port()
        endpoint = client.webhooks.create_webhook_endpoint(
            url=f"http://127.0.0.1:{port}{RECEIVER}", events=EVENTS
        )
        with rushes(
            place,
            running_jobs=DELIVERIES + 1,
            service=service,
            port=port,
            secret=str(endpoint.signing_secret),
        ) as product:
            return asyncio.run(_measure(product, service, client))


async def _measure(product: Rushes, service: Sandbox, client: VideoGenApi) -> list[Figure]:
    # Wall-clock time, comparable with the times that the sandbox records.
    async with pages(product, SOCKETS, clock=time.time) as open_pages:
        waits = await _deliver(product, open_pages)
        ours, polled = await _watch(product, open_pages, service, client)
    pushed, waited = statistics.mean(ours), statistics.mean(polled)
    return [
        at_most(f"push: POST to visible, {SOCKETS} pages open, p50", percentile(waits, 0.5), 50, "ms"),
        at_most(f"push: POST to visible, {SOCKETS} pages open, p95", percentile(waits, 0.95), 100, "ms"),
        info(f"push: {WATCHED} jobs of the sandbox, end to visible, mean", pushed, "ms"),
        info("push: the same jobs, official polling helper, end to known, mean", waited, "ms"),
        at_least("push: faster than the polling helper", waited / pushed, 20, "times", 1),
    ]


async def _deliver(product: Rushes, open_pages: Pages) -> list[float]:
    """Milliseconds from each POST to each page."""
    connection, waits = await Connection.to(product.host), []
    for number, (own_id, remote_id) in enumerate(product.seeded.running):
        delivery = succeeded(remote_id, product.secret)
        open_pages.look_for(own_id)
        began = time.time()
        answer = await connection.send(post(RECEIVER, product.host, delivery.headers, delivery.body))
        if answer.status != 200:
            raise RuntimeError(f"a delivery returned {answer.status}: {answer.body!r}")
        seen = await open_pages.seen(own_id)
        if number:  # the first delivery warms up templates and threads
            waits += [(each - began) * 1000 for each in seen]
        await asyncio.sleep(random.uniform(0.06, 0.2))
    connection.close()
    return waits


async def _watch(
    product: Rushes, open_pages: Pages, service: Sandbox, client: VideoGenApi
) -> tuple[list[float], list[float]]:
    """Milliseconds from the end recorded by the sandbox: to each page, and to each helper's return."""
    voices = client.resources.list_tts_voices().tts_voices
    voice = next(each for each in voices if each.supports_direct_tool_execution)
    async with helpers(service) as polling:
        watch = Watch(product, open_pages, service, polling, voice.voice_id)
        await watch.jobs("warm-up", WARM_UP)
        watched = await watch.jobs("watched", WATCHED)
    ended = {job["toolExecutionId"]: job["endedAt"] for job in service.truth()}
    ours = [(each - ended[remote_id]) * 1000 for remote_id, (seen, _) in watched.items() for each in seen]
    polled = [(each - ended[remote_id]) * 1000 for remote_id, (_, known) in watched.items() for each in known]
    return ours, polled


class Polling:
    """The process that runs the polling helpers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._known: dict[str, asyncio.Queue[float]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            remote_id, known = line.split()
            self._known[remote_id.decode()].put_nowait(float(known))

    async def known(self, remote_id: str) -> list[float]:
        """When each helper returned for this job."""
        assert self.process.stdin is not None
        known = self._known[remote_id] = asyncio.Queue()
        self.process.stdin.write(f"{remote_id}\n".encode() * HELPERS)
        async with asyncio.timeout(40):
            return [await known.get() for _ in range(HELPERS)]

    async def close(self) -> None:
        self._reader.cancel()
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def helpers(service: Sandbox) -> AsyncIterator[Polling]:
    polling = Polling(
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.helper", service.url, service.key),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
    )
    try:
        yield polling
    finally:
        await polling.close()


@dataclass(frozen=True)
class Watch:
    """Starts text-to-speech jobs through the studio, watched by the pages and the helpers.

    Speech costs the sandbox little; making images would compete with the measurement for CPU.
    """

    product: Rushes
    pages: Pages
    service: Sandbox
    polling: Polling
    voice_id: str

    async def jobs(self, name: str, count: int) -> dict[str, tuple[list[float], list[float]]]:
        """By VideoGen's id: when each page, and when each helper, learned of the end."""
        cookies = {"sessionid": self.product.seeded.sessions["maker"]}
        async with httpx.AsyncClient(base_url=self.product.url, cookies=cookies, timeout=15) as browser:
            await browser.get("/")
            started = []
            for number in range(count):
                words = f"A {name} sentence, number {number} of {count}."
                started.append(asyncio.create_task(self._job(browser, words)))
                await asyncio.sleep(random.uniform(0.3, 0.6))
            return dict(await asyncio.gather(*started))

    async def _job(
        self, browser: httpx.AsyncClient, words: str
    ) -> tuple[str, tuple[list[float], list[float]]]:
        token = browser.cookies["csrftoken"]
        answer = await browser.post(
            "/tools/text-to-speech/",
            data={"ttsText": words, "voiceId": self.voice_id, "numResults": "1", "voiceSpeed": "1"},
            headers={"X-CSRFToken": token, "HX-Request": "true"},
        )
        job = LexborHTMLParser(answer.raise_for_status().text).css_first(".tool-form-started a")
        if job is None:
            raise RuntimeError(f"the studio did not start a job: {answer.text[:300]}")
        own_id = (job.attributes["href"] or "").strip("/").rpartition("/")[2]
        self.pages.look_for(own_id)
        remote_id = await asyncio.to_thread(self._remote_id, words)
        polled = asyncio.create_task(self.polling.known(remote_id))
        seen = await self.pages.seen(own_id, patience=25)
        return remote_id, (seen, await polled)

    def _remote_id(self, words: str) -> str:
        return next(
            str(job["toolExecutionId"])
            for job in self.service.truth()
            if job["request"].get("ttsText") == words
        )
