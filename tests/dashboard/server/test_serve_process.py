"""`manage.py serve` as a real process: start, refused starts, and a stop that loses nothing."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from dashboard.server import sandbox_process
from tests.dashboard.serving import PASSWORD, Serving, Web, cookie_header, csrf_token, manage
from tests.processes import is_alive
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.processes


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(tmp_path / "data", migrated=False)
    yield server
    server.end()


@pytest.mark.slow
def test_it_prints_its_url_and_how_to_sign_in(serving: Serving) -> None:
    assert re.search(r"^  Rushes runs at http://127\.0\.0\.1:\d+$", serving.output, re.MULTILINE)
    assert "  Sign in as admin or member, password tests only, never typed\n" in serving.output
    with serving.signed_in("admin") as admin:
        assert admin.get("/").status_code == 200
    with serving.client() as anonymous:
        assert anonymous.get("/healthz").text == "ok\n"
        ready = anonymous.get("/readyz")
    assert ready.status_code == 200
    assert {name: ready.json()[name] for name in ("database", "cache")} == {"database": "ok", "cache": "ok"}

    # A second one in the same data folder is refused, and the first is not disturbed by that.
    code, said = manage(serving.data_dir, "serve", "--port", "0")
    assert code != 0
    assert said == (
        f"CommandError: Another Rushes already runs in {serving.data_dir}. Set DATA_DIR to another folder.\n"
    )
    with serving.client() as anonymous:
        assert anonymous.get("/healthz").status_code == 200

    assert serving.stop(signal.SIGINT) == 0
    assert serving.output.endswith("Stopped.\n")
    assert "Traceback" not in serving.errors


@pytest.mark.slow
def test_its_stop_finishes_requests_closes_sockets_and_ends_the_sandbox(serving: Serving) -> None:
    children = serving.children()
    assert len(children) == 1, "the sandbox"
    with serving.signed_in() as member:
        slow = slow_start(serving, member)
        code, closed_with = asyncio.run(stop_with_a_socket_open(serving, cookie_header(member)))
        answer = slow()
    assert code == 0
    assert closed_with == 1012, "pages reconnect only after this code"
    assert answer.status_code == 303, "a running request is finished"
    with closing(sqlite3.connect(serving.data_dir / "rushes.sqlite3")) as database:
        [(status,)] = database.execute("SELECT status FROM executions_execution").fetchall()
    assert status not in ("queued", "unconfirmed"), "so is the start: it waits for VideoGen's response"
    assert not any(is_alive(pid) for pid in children)
    with closing(socket.socket()) as probe:
        assert probe.connect_ex((serving.host, serving.port)) != 0
    assert "Stopping: waiting for running requests." in serving.output
    assert " ERROR " not in serving.errors


def slow_start(serving: Serving, member: httpx.Client) -> Callable[[], httpx.Response]:
    """Start a job to which VideoGen responds after 2.5 seconds; the returned function waits for our response."""
    fault = {"kind": "slow", "seconds": 2.5, "match": "POST /v1/tools/*", "count": 1}
    port = (serving.data_dir / "sandbox.port").read_text()
    httpx.post(f"http://127.0.0.1:{port}/sandbox/faults", json={"faults": [fault]}).raise_for_status()
    answers: list[httpx.Response] = []
    form = {"prompt": "a slow lighthouse", "numResults": "1", "aspectRatio": "1:1", "watermarkMode": "AUTO"}

    def start() -> None:
        answers.append(member.post("/tools/generate-image/", data={**form, **csrf_token(member)}))

    thread = threading.Thread(target=start)
    with serving.signed_in("admin") as admin:
        thread.start()
        eventually(lambda: "a slow lighthouse" in admin.get("/board/").text)

    def answer() -> httpx.Response:
        thread.join(DEADLINE)
        return answers[0]

    return answer


async def stop_with_a_socket_open(serving: Serving, cookie: str) -> tuple[int, int]:
    """SIGTERM while a page listens: the exit code, and the code that the socket was closed with."""
    url = f"ws://{serving.host}:{serving.port}/ws/live/?topic=studio"
    async with connect(url, origin=serving.url, additional_headers={"Cookie": cookie}) as page:
        serving.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await asyncio.wait_for(page.recv(), DEADLINE)
    code = await asyncio.to_thread(serving.wait, DEADLINE)
    return code, closed.value.rcvd.code if closed.value.rcvd else 1006


# --- refused starts ---------------------------------------------------------------------------------------


def test_a_port_in_use_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        code, said = manage(tmp_path, "serve", "--port", str(port))
    assert code != 0
    assert said == (
        f"CommandError: Rushes cannot listen on 127.0.0.1:{port}: the port is in use. Set PORT to another one.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "70000"), "PORT must be between 0 and 65535, not 70000."),
        (("--host", "192.0.2.1", "--port", "0"), "Rushes cannot listen on 192.0.2.1:0: "),
        (
            ("--host", "no-such-host.invalid", "--port", "0"),
            "Rushes cannot listen on no-such-host.invalid:0: ",
        ),
    ],
)
def test_an_unavailable_address_is_reported_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    code, said = manage(tmp_path, "serve", *arguments)
    assert code != 0
    assert said.startswith(f"CommandError: {sentence}"), said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_a_sandbox_that_does_not_start_is_reported(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(sandbox_process.Sandbox, "_port", lambda self: 70000)
    failing = pytest.raises(sandbox_process.SandboxFailed, match="exited with code 2 while starting")
    with failing, sandbox_process.Sandbox() as sandbox:
        sandbox.wait()


@pytest.mark.services
@pytest.mark.skipif(connection.vendor == "sqlite", reason="several processes need PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_one_of_several_processes_serves_and_closes_its_sockets_when_it_stops(tmp_path: Path) -> None:
    database = connection.settings_dict
    variables = {
        "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": "of the tests " * 5,
        "ALLOWED_HOSTS": "127.0.0.1",
        "PUBLIC_URL": "http://127.0.0.1",
        "VIDEOGEN_API_KEY": "tests-only-key",
        "VIDEOGEN_BASE_URL": "http://127.0.0.1:9",
    }
    person = {"USERNAME": "member", "PASSWORD": PASSWORD, "EMAIL": "member@example.org"}
    person = {f"DJANGO_SUPERUSER_{name}": value for name, value in person.items()}
    for command in ("collectstatic", "createsuperuser"):
        code, said = manage(tmp_path / "data", command, "--noinput", **variables, **person)
        assert code == 0, said
    web = Web(tmp_path / "data", **variables)
    try:
        assert web.children() == [], "no sandbox"
        with web.signed_in() as member:
            assert member.get("/").status_code == 200
            assert member.post("/webhooks/videogen/", content=b"x" * 4_000_000).status_code == 413
            code, closed_with = asyncio.run(stop_with_a_socket_open(web, cookie_header(member)))
        assert (code, closed_with) == (0, 1012)
        assert web.output.endswith("Stopped.\n")
        assert "Traceback" not in web.errors
    finally:
        web.end()


def test_web_is_refused_on_sqlite(tmp_path: Path) -> None:
    code, said = manage(tmp_path, "web")
    assert code != 0
    assert said == (
        "CommandError: Several processes need DATABASE_URL and REDIS_URL. "
        "Without them, use `manage.py serve`.\n"
    )


def test_reconcile_is_refused_on_sqlite(tmp_path: Path) -> None:
    code, said = manage(tmp_path, "reconcile")
    assert code != 0
    assert said == (
        "CommandError: With SQLite, `manage.py serve` runs the reconciler. A separate one needs PostgreSQL.\n"
    )
