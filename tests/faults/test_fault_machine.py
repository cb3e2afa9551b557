"""SIGTERM under load, and a second `manage.py serve`: rows 54 and 55 of docs/reliability.md."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.dashboard.serving import Serving, cookie_header, manage
from tests.factories.deliveries import SECRET, URL, event, signed
from tests.faults.installation import Installation
from tests.faults.load import Load
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.skipif(
    os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="runs on SQLite only"
)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data")
    yield installation
    installation.end()


class Deliveries:
    """Sends deliveries one after another, each until it gets a 200, as VideoGen does."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted: set[str] = set()
        self.refused: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self, url: str) -> None:
        self.url = url
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        number = 0
        with httpx.Client(timeout=20, trust_env=False, verify=False) as client:
            while not self._stop.is_set():
                number += 1
                self._deliver(client, f"msg_stop_{number}", event(f"vg_exec_stop_{number}"))

    def _deliver(self, client: httpx.Client, webhook_id: str, body: bytes) -> None:
        while True:
            headers = {**signed(body, webhook_id), "content-type": "application/json"}
            try:
                status = client.post(f"{self.url}{URL}", content=body, headers=headers).status_code
            except httpx.TransportError:
                if self._stop.wait(0.05):
                    return
                continue
            if status == 200:
                self.accepted.add(webhook_id)
                return
            self.refused.add(status)


@pytest.mark.slow
def test_a_stop_under_load_loses_nothing_and_releases_its_leases(installation: Installation) -> None:
    """Fault 54: SIGTERM under load: exit code 0, sockets closed with 1012, no lease left, each job and delivery once."""
    serving = installation.start(VIDEOGEN_WEBHOOK_SECRET=SECRET)
    deliveries = Deliveries()
    with serving.signed_in() as member:
        load = Load(member.cookies, serving.url)
        cookie = cookie_header(member)
    deliveries.start(serving.url)
    try:
        for jobs in (6, 18):
            eventually(lambda jobs=jobs: len(installation.jobs()) >= jobs)
            load.down()
            code, closed_with = asyncio.run(stop_while_connected(serving, cookie))
            assert (code, closed_with) == (0, 1012)
            assert "Stopped.\n" in serving.output
            assert installation.query(
                "SELECT count(*) FROM executions_execution WHERE leased_until IS NOT NULL"
            ) == [(0,)]
            installation.wait_for_sandbox_exit()
            serving = installation.start(VIDEOGEN_WEBHOOK_SECRET=SECRET)
            deliveries.url = serving.url
            load.up(serving.url)
        load.join()
        count = len(deliveries.accepted)
        eventually(lambda: len(deliveries.accepted) > count)
    finally:
        deliveries.end()

    jobs, truth, endings = (
        installation.wait_until_settled(),
        installation.sandbox_jobs(),
        installation.outcome_counts(),
    )
    assert set(jobs) == set(load.prompts)
    for prompt, (status, remote_id) in jobs.items():
        starts = truth.get(prompt, [])
        if status == "unconfirmed":
            # The response did not arrive within the time that a stop allows.
            assert len(starts) <= 1
        else:
            assert [(each["status"], each["toolExecutionId"]) for each in starts] == [(status, remote_id)]
            assert endings[prompt] == 1
    stored = {
        webhook_id
        for (webhook_id,) in installation.query("SELECT webhook_id FROM executions_webhookdelivery")
    }
    assert deliveries.accepted <= stored
    assert not deliveries.refused, "a stopping server finishes requests or does not accept them"


async def stop_while_connected(serving: Serving, cookie: str) -> tuple[int, int]:
    """SIGTERM while a page is connected: the exit code, and the code with which its socket was closed."""
    url = f"ws://{serving.host}:{serving.port}/ws/live/?topic=studio"
    async with connect(url, origin=serving.url, additional_headers={"Cookie": cookie}) as page:
        serving.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await asyncio.wait_for(page.recv(), DEADLINE)
    code = await asyncio.to_thread(serving.wait, 30)
    return code, closed.value.rcvd.code if closed.value.rcvd else 1006


@pytest.mark.slow
def test_a_second_serve_refuses_to_start_with_one_message(tmp_path: Path) -> None:
    """Fault 55: two `serve` on one data folder, or on one SQLite database from two folders: the second refuses."""
    database = tmp_path / "database" / "rushes.sqlite3"
    first = Serving(tmp_path / "one", DATABASE_URL=f"sqlite:///{database}")
    try:
        same_folder = manage(tmp_path / "one", "serve", "--port", "0")
        same_database = manage(tmp_path / "two", "serve", "--port", "0", DATABASE_URL=f"sqlite:///{database}")
        with first.client() as client:
            assert client.get("/healthz").status_code == 200
    finally:
        first.end()
    message = "CommandError: Another Rushes already "
    assert same_folder == (1, f"{message}runs in {tmp_path / 'one'}. Set DATA_DIR to another folder.\n")
    assert same_database == (1, f"{message}uses {database}. Set DATABASE_URL to another one.\n")
    # Once the first has stopped, another one starts.
    Serving(tmp_path / "two", DATABASE_URL=f"sqlite:///{database}").end()
