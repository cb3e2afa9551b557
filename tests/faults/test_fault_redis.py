"""A Redis outage: row 39 of docs/reliability.md. The test starts its own server."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks.product import free_port
from dashboard.live.fanout import RECONNECT
from tests import steps
from tests.dashboard.serving import Serving, cookie_header, csrf_token
from tests.waiting import eventually

pytestmark = [pytest.mark.services, pytest.mark.skipif("REDIS_URL" not in os.environ, reason="needs Redis")]


class Redis:
    """A Redis server on a free port, which a restart keeps. It stores nothing on disk."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "REDIS_URL is set, but the Redis server program is not installed"
        self._program = program
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [
            self._program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            "/tmp",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(self._is_listening)

    def _is_listening(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis() -> Iterator[Redis]:
    redis = Redis()
    yield redis
    redis.kill()


@pytest.fixture
def serving(redis: Redis, tmp_path: Path) -> Iterator[Serving]:
    server = Serving(tmp_path / "data", REDIS_URL=f"redis://127.0.0.1:{redis.port}/0")
    yield server
    server.end()


def start(browser: httpx.Client) -> str:
    prompt = steps.unique_prompt() + " [fail]"
    answer = browser.post("/tools/generate-image/", data={**steps.form(prompt), **csrf_token(browser)})
    assert answer.status_code == 303
    return prompt


def connect_once(serving: Serving, browser: httpx.Client) -> connect:
    url = f"ws://{serving.host}:{serving.port}/ws/live/?topic=studio"
    headers = {"Cookie": cookie_header(browser)}
    return connect(url, origin=serving.url, additional_headers=headers, open_timeout=20)


async def connect_with_retry(serving: Serving, browser: httpx.Client) -> ClientConnection:
    """Retry until the socket opens, as pages do."""
    while True:
        try:
            return await connect_once(serving, browser)
        except (InvalidHandshake, OSError, TimeoutError):
            await asyncio.sleep(0.2)  # a page pauses between attempts as well


async def receive_until(page: ClientConnection, prompt: str) -> None:
    while prompt not in str(await page.recv()):
        pass


async def close_code(page: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as end:
        while True:
            await page.recv()
    return end.value.rcvd.code if end.value.rcvd else 1006


@pytest.mark.slow
async def test_pages_poll_while_redis_is_down_and_reconnect_afterwards(
    redis: Redis, serving: Serving
) -> None:
    """Fault 39: sockets are closed so that pages poll, everything works meanwhile, and live updates resume afterwards."""
    with serving.signed_in() as member:
        async with asyncio.timeout(120):
            page = await connect_with_retry(serving, member)
            await receive_until(page, await asyncio.to_thread(start, member))

            redis.kill()
            assert await close_code(page) == RECONNECT, "the page must not seem live"
            with pytest.raises(InvalidHandshake):
                await connect_once(serving, member)
            prompt = await asyncio.to_thread(start, member)

            def is_shown() -> bool:
                page = member.get("/executions/")
                return page.status_code == 200 and prompt in page.text and "failed" in page.text

            await asyncio.to_thread(eventually, is_shown)
            assert member.get("/").status_code == 200
            assert (await asyncio.to_thread(member.get, "/readyz")).json()["cache"] == "away"

            redis.start()
            page = await connect_with_retry(serving, member)
            await receive_until(page, await asyncio.to_thread(start, member))
            assert (await asyncio.to_thread(member.get, "/readyz")).status_code == 200

            # Messages are also lost in a restart that no one notices.
            redis.kill()
            redis.start()
            assert await close_code(page) == RECONNECT
            page = await connect_with_retry(serving, member)
            await receive_until(page, await asyncio.to_thread(start, member))
            await page.close()
