"""Redis that goes away and comes back: row 39. The server is one of our own."""

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
from dashboard.live.fanout import COME_BACK
from tests.dashboard.serving import Serving, cookies, token
from tests.faults import scenes
from tests.waiting import eventually

pytestmark = [pytest.mark.services, pytest.mark.skipif("REDIS_URL" not in os.environ, reason="needs Redis")]


class Redis:
    """On a port of its own, which a restart keeps. It stores nothing."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "the program of a Redis server is needed beside REDIS_URL"
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
        eventually(self._listens)

    def _listens(self) -> bool:
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
    prompt = scenes.words() + " [fail]"
    answer = browser.post("/tools/generate-image/", data={**scenes.form(prompt), **token(browser)})
    assert answer.status_code == 303
    return prompt


def opening(serving: Serving, browser: httpx.Client) -> connect:
    url = f"ws://{serving.host}:{serving.port}/ws/live/?topic=studio"
    headers = {"Cookie": cookies(browser)}
    return connect(url, origin=serving.url, additional_headers=headers, open_timeout=20)


async def opened(serving: Serving, browser: httpx.Client) -> ClientConnection:
    """As pages do: try again until it opens."""
    while True:
        try:
            return await opening(serving, browser)
        except (InvalidHandshake, OSError, TimeoutError):
            await asyncio.sleep(0.2)  # a page waits between its attempts, too


async def hears(page: ClientConnection, prompt: str) -> None:
    while prompt not in str(await page.recv()):
        pass


async def closed(page: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as end:
        while True:
            await page.recv()
    return end.value.rcvd.code if end.value.rcvd else 1006


async def test_pages_ask_while_redis_is_away_and_hear_again_afterwards(
    redis: Redis, serving: Serving
) -> None:
    """Fault 39: sockets are closed so that pages ask, all works meanwhile, and a page that comes back hears again."""
    with serving.signed_in() as member:
        async with asyncio.timeout(120):
            page = await opened(serving, member)
            await hears(page, await asyncio.to_thread(start, member))

            redis.kill()
            assert await closed(page) == COME_BACK, "it must not believe that it is live"
            with pytest.raises(InvalidHandshake):
                await opening(serving, member)
            prompt = await asyncio.to_thread(start, member)

            def is_shown() -> bool:
                page = member.get("/executions/")
                return page.status_code == 200 and prompt in page.text and "failed" in page.text

            await asyncio.to_thread(eventually, is_shown)
            assert member.get("/").status_code == 200
            assert (await asyncio.to_thread(member.get, "/readyz")).json()["cache"] == "away"

            redis.start()
            page = await opened(serving, member)
            await hears(page, await asyncio.to_thread(start, member))
            assert (await asyncio.to_thread(member.get, "/readyz")).status_code == 200

            # A restart that is over before anybody asks: what was said in it is lost all the same.
            redis.kill()
            redis.start()
            assert await closed(page) == COME_BACK
            page = await opened(serving, member)
            await hears(page, await asyncio.to_thread(start, member))
            await page.close()
