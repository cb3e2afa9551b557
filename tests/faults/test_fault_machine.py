"""The machine under a `manage.py serve`: asked to stop under load, and started a second time. Rows 54 and 55."""

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

from tests.dashboard.serving import Serving, cookies, manage
from tests.factories.deliveries import SECRET, URL, event, signed
from tests.faults.house import House
from tests.faults.loads import Load
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.skipif(
    os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="it runs on SQLite, once"
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data")
    yield house
    house.end()


class Deliveries:
    """VideoGen's side of a delivery that is sent until it is answered well, again and again, each with a new id."""

    def __init__(self) -> None:
        self.url = ""
        self.answered: set[str] = set()
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

    def _deliver(self, client: httpx.Client, name: str, body: bytes) -> None:
        while True:
            headers = {**signed(body, name), "content-type": "application/json"}
            try:
                status = client.post(f"{self.url}{URL}", content=body, headers=headers).status_code
            except httpx.TransportError:
                if self._stop.wait(0.05):
                    return
                continue
            if status == 200:
                self.answered.add(name)
                return
            self.refused.add(status)


def test_a_stop_under_load_loses_nothing_and_gives_back_what_it_held(house: House) -> None:
    """Fault 54: SIGTERM under load: exit code 0, sockets closed with 1012, no lease left, each job and delivery once."""
    serving = house.start(VIDEOGEN_WEBHOOK_SECRET=SECRET)
    deliveries = Deliveries()
    with serving.signed_in() as member:
        load = Load(member.cookies, serving.url)
        cookie = cookies(member)
    deliveries.start(serving.url)
    try:
        for jobs in (6, 18):
            eventually(lambda jobs=jobs: len(house.jobs()) >= jobs)
            load.down()
            code, closed_with = asyncio.run(stopped(serving, cookie))
            assert (code, closed_with) == (0, 1012)
            assert "Stopped.\n" in serving.said
            assert house.ask("SELECT count(*) FROM executions_execution WHERE leased_until IS NOT NULL") == [
                (0,)
            ]
            house.wait_for_sandbox_end()
            serving = house.start(VIDEOGEN_WEBHOOK_SECRET=SECRET)
            deliveries.url = serving.url
            load.up(serving.url)
        load.join()
        told = len(deliveries.answered)
        eventually(lambda: len(deliveries.answered) > told)
    finally:
        deliveries.end()

    jobs, truth, endings = house.settled(), house.truth(), house.endings()
    assert set(jobs) == set(load.prompts)
    for prompt, (status, remote_id) in jobs.items():
        starts = truth.get(prompt, [])
        if status == "unconfirmed":
            # Its answer did not come in the time that a stop leaves.
            assert len(starts) <= 1
        else:
            assert [(each["status"], each["toolExecutionId"]) for each in starts] == [(status, remote_id)]
            assert endings[prompt] == 1
    kept = {name for (name,) in house.ask("SELECT webhook_id FROM executions_webhookdelivery")}
    assert deliveries.answered <= kept
    assert not deliveries.refused, "a server that stops refuses nothing: it finishes, or is not there"


async def stopped(serving: Serving, cookie: str) -> tuple[int, int]:
    """SIGTERM while a page listens: the exit code, and the code that its socket was closed with."""
    url = f"ws://{serving.host}:{serving.port}/ws/live/?topic=studio"
    async with connect(url, origin=serving.url, additional_headers={"Cookie": cookie}) as page:
        serving.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await asyncio.wait_for(page.recv(), DEADLINE)
    code = await asyncio.to_thread(serving.wait, 30)
    return code, closed.value.rcvd.code if closed.value.rcvd else 1006


def test_a_second_serve_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Fault 55: two `serve` on one data folder, or on one SQLite database from two folders: the second refuses."""
    database = tmp_path / "elsewhere" / "rushes.sqlite3"
    first = Serving(tmp_path / "one", DATABASE_URL=f"sqlite:///{database}")
    try:
        same_folder = manage(tmp_path / "one", "serve", "--port", "0")
        same_database = manage(tmp_path / "two", "serve", "--port", "0", DATABASE_URL=f"sqlite:///{database}")
        with first.client() as anybody:
            assert anybody.get("/healthz").status_code == 200
    finally:
        first.end()
    sentence = "CommandError: Another Rushes already "
    assert same_folder == (1, f"{sentence}runs in {tmp_path / 'one'}. Set DATA_DIR to another folder.\n")
    assert same_database == (1, f"{sentence}uses {database}. Set DATABASE_URL to another one.\n")
    # Once it has ended there is nothing in the way.
    Serving(tmp_path / "two", DATABASE_URL=f"sqlite:///{database}").end()
