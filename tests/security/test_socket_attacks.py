"""Websockets over TCP: who may connect, the cost of a page that does not read, and the content of broadcasts."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dashboard.live.consumers import SIGNED_OUT
from tests.dashboard.serving import ROOT, Serving, cookie_header, csrf_token, environment
from tests.factories.forms import form
from tests.processes import memory
from tests.waiting import DEADLINE, PROCESS_DEADLINE, eventually


def live(serving: Serving, topic: str = "studio") -> str:
    return f"ws://{serving.host}:{serving.port}/ws/live/?topic={topic}"


async def status(url: str, origin: str | None, cookie: str = "") -> int:
    """The HTTP status of the handshake: 101 if the socket is accepted."""
    try:
        async with connect(url, origin=origin, additional_headers={"Cookie": cookie}):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_only_signed_in_people_on_pages_of_rushes_may_connect(serving: Serving) -> None:
    with serving.signed_in() as member:
        session, origin = cookie_header(member), serving.url
        job = uuid.uuid4()
        assert await status(live(serving), origin, session) == 101
        assert await status(live(serving), origin) == 403
        assert await status(live(serving), origin, "sessionid=" + "a" * 32) == 403
        assert await status(live(serving), None, session) == 403
        assert await status(live(serving), "http://evil.example", session) == 403
        assert await status(live(serving), f"http://{serving.host}:{serving.port + 1}", session) == 403
        assert await status(live(serving, f"job:{job}"), origin, session) == 403
        assert await status(live(serving, "../../etc"), origin, session) == 403
        assert await status(f"ws://{serving.host}:{serving.port}/ws/other/", origin, session) in (
            403,
            404,
            500,
        )


async def test_signing_out_closes_the_socket(serving: Serving) -> None:
    with serving.signed_in() as member, serving.signed_in("admin") as admin:
        async with (
            connect(
                live(serving), origin=serving.url, additional_headers={"Cookie": cookie_header(member)}
            ) as page,
            connect(
                live(serving), origin=serving.url, additional_headers={"Cookie": cookie_header(admin)}
            ) as other_page,
        ):
            old = cookie_header(member)
            await asyncio.to_thread(member.post, "/sign-out/", data=csrf_token(member))
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await asyncio.wait_for(page.recv(), DEADLINE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == SIGNED_OUT
            assert await status(live(serving), serving.url, old) == 403
            await other_page.ping()


async def test_broadcasts_contain_only_what_the_team_may_see(serving: Serving) -> None:
    """CSRF tokens, raw requests and responses, and signed URLs are never in a broadcast."""
    with serving.signed_in() as member, serving.signed_in("admin") as admin:
        headers = {"Cookie": cookie_header(admin)}
        async with connect(live(serving), origin=serving.url, additional_headers=headers) as page:
            sent = {**form(prompt="a pier that others see"), **csrf_token(member)}
            await asyncio.to_thread(member.post, "/tools/generate-image/", data=sent)
            received = ""
            while 'data-status="succeeded"' not in received:
                frame = await asyncio.wait_for(page.recv(), DEADLINE)
                assert isinstance(frame, str)
                received += frame
        assert "a pier that others see" in received
        for secret in ("csrfmiddlewaretoken", "sessionid", "signature=", "http://127.0.0.1", "Bearer"):
            assert secret not in received


async def test_invalid_frames_close_only_their_own_socket(serving: Serving) -> None:
    with serving.signed_in() as member:
        headers = {"Cookie": cookie_header(member)}
        async with connect(live(serving), origin=serving.url, additional_headers=headers) as good:
            a_gibibyte = b"\x82\xff" + (1024**3).to_bytes(8) + b"mask" + b"x" * 500
            for invalid in (b"\xff" * 64, a_gibibyte):
                with closing(
                    handshake(serving.host, serving.port, "/ws/live/?topic=studio", headers, serving.url)
                ) as raw:
                    raw.sendall(invalid)
                    raw.settimeout(10)
                    assert closes(raw)
            await asyncio.wait_for(await good.ping(), DEADLINE)


def closes(raw: socket.socket) -> bool:
    """Whether the other end closes the connection or sends a close frame."""
    try:
        received = raw.recv(65536)
        return received == b"" or received[0] == 0x88
    except ConnectionResetError:
        return True


def handshake(
    host: str, port: int, path: str, headers: dict[str, str], origin: str, receive_buffer: int = 0
) -> socket.socket:
    """A raw connection after the websocket handshake. `receive_buffer` is in bytes; 0 is the default size."""
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(10)
    raw.connect((host, port))
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"Origin: {origin}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    raw.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += raw.recv(1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return raw


# --- a page that does not read ----------------------------------------------------------------------------


@pytest.fixture
def flooding(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The dashboard's server with an application that sends 47 MiB to each socket at /flood."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.security.flooding"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(tmp_path, DJANGO_SETTINGS_MODULE="dashboard.settings"),
    )
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait(PROCESS_DEADLINE)
        process.stdout.close()


async def test_a_page_that_does_not_read_is_disconnected_and_costs_little(flooding: tuple[Any, int]) -> None:
    process, port = flooding
    before = memory(process.pid)
    origin = f"http://127.0.0.1:{port}"
    with closing(handshake("127.0.0.1", port, "/flood", {}, origin, receive_buffer=4096)) as idle:
        async with connect(f"ws://127.0.0.1:{port}/other", origin=origin) as other:
            for _ in range(20):
                await other.send("still there?")
                assert await asyncio.wait_for(other.recv(), DEADLINE) == "here", "others are served"
        await asyncio.to_thread(eventually, lambda: is_cut(idle))
    assert memory(process.pid) - before < 25


def is_cut(idle: socket.socket) -> bool:
    """Whether the connection was reset; data that arrived before stays unread."""
    return idle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0 or info_state(idle) != 1


def info_state(raw: socket.socket) -> int:
    """The kernel's state of a TCP connection; 1 is established."""
    return raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]


async def test_a_page_that_reads_receives_everything(flooding: tuple[Any, int]) -> None:
    _, port = flooding
    url, origin = f"ws://127.0.0.1:{port}/asked", f"http://127.0.0.1:{port}"
    async with connect(url, origin=origin, max_size=None) as page:
        for _ in range(8):  # MiB, twice the backlog that is allowed
            await page.send("more")
            for _ in range(32):
                assert len(await asyncio.wait_for(page.recv(), DEADLINE)) == 32 * 1024
