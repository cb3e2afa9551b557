"""`kill -9` of a real `manage.py serve`, at chosen moments and under load: rows 9 and 53 of the list of faults."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.dashboard.serving import Serving, token
from tests.faults import scenes
from tests.faults.house import House
from tests.faults.loads import THREADS, Load
from tests.waiting import DEADLINE, eventually


class Mortal(Serving):
    """A serve that is killed at the moment that DIE_AT names."""

    program = ("-m", "tests.faults.mortal")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data")
    yield house
    house.end()


def test_a_server_killed_in_the_middle_of_a_start_never_starts_twice(house: House) -> None:
    """Fault 9: killed before sending, while sending, while VideoGen works, after its answer: sent once or unconfirmed."""
    moments = ("written", "sending", "answered")
    prompts = {"asked": scenes.words(), **{moment: f"{scenes.words()} [{moment}]" for moment in moments}}
    for moment in moments:
        serving = house.start(Mortal, DIE_AT=moment)
        with serving.signed_in() as member, serving.signed_in("admin") as admin:
            # In the last of them another start is under way, which the sandbox takes its time for.
            waiting = under_way(house, admin, prompts["asked"]) if moment == "answered" else None
            with pytest.raises(httpx.TransportError):
                start(member, prompts[moment])
            assert serving.wait() == -signal.SIGKILL
            if waiting is not None:
                waiting.join(DEADLINE)
        house.wait_for_sandbox_end()

    house.start()
    jobs, truth = house.settled(), house.truth()

    assert jobs[prompts["written"]][0] == "succeeded"
    for moment in ("sending", "asked", "answered"):
        status, remote_id = jobs[prompts[moment]]
        its_own = [each["toolExecutionId"] for each in truth.get(prompts[moment], [])]
        assert status == "unconfirmed" or remote_id in its_own, f"{moment}: {status} {remote_id}"
    starts = {moment: len(truth.get(prompt, [])) for moment, prompt in prompts.items()}
    assert starts["asked"] <= 1
    assert {**starts, "asked": 0} == {"written": 1, "sending": 0, "asked": 0, "answered": 1}
    assert set(house.endings().values()) == {1}
    sent = house.ask("SELECT count(*) FROM executions_event WHERE kind = 'sent' GROUP BY execution_id")
    assert sent == [(1,)] * 4


def start(browser: httpx.Client, prompt: str) -> None:
    browser.post("/tools/generate-image/", data={**scenes.form(prompt), **token(browser)})


def under_way(house: House, browser: httpx.Client, prompt: str) -> threading.Thread:
    """A start that the sandbox has been asked for, and does not answer."""
    slow = {"kind": "slow", "seconds": 60, "match": scenes.STARTS, "count": 2}
    house.control("POST", "faults", {"faults": [slow]})

    def run() -> None:
        with suppress(httpx.TransportError):
            start(browser, prompt)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: house.control("GET", "faults")["faults"][0]["struck"])
    house.control("DELETE", "faults")
    return thread


def test_kills_at_random_under_load_leave_every_job_with_its_true_end_once(house: House) -> None:
    """Fault 53: server (with its reconciler) and sandbox killed under load: after the restart all ends are true."""
    chance = random.Random(53)
    serving = house.start()
    with serving.signed_in() as member:
        load = Load(member.cookies, serving.url)

    for target, victim in ((chance.randint(3, 10), "server"), (chance.randint(13, 20), "sandbox")):
        eventually(lambda target=target: len(house.jobs()) >= target)
        if victim == "sandbox":
            (sandbox_pid,) = serving.children()
            os.kill(sandbox_pid, signal.SIGKILL)
            # The server notices: what cannot be sent waits.
            eventually(lambda serving=serving: "cannot be reached" in serving.errors)
        load.down()
        house.kill()
        serving = house.start()
        load.up(serving.url)
    load.join()

    jobs, truth, endings = house.settled(), house.truth(), house.endings()
    assert set(jobs) == set(load.prompts)
    for prompt, (status, remote_id) in jobs.items():
        starts = truth.get(prompt, [])
        assert len(starts) <= 1, "never started twice"
        if status == "unconfirmed":
            assert (remote_id, endings.get(prompt)) == (None, None)
        else:
            (there,) = starts
            assert (status, remote_id) == (there["status"], there["toolExecutionId"])
            assert endings[prompt] == 1
    assert {status for status, _ in jobs.values()} <= {"succeeded", "failed", "unconfirmed"}
    # Only starts that were under way when something was killed can be in doubt.
    assert sum(status == "unconfirmed" for status, _ in jobs.values()) <= 4 * THREADS
    results = house.ask(
        "SELECT job.prompt, file.remote_id FROM executions_result result"
        " JOIN executions_execution job ON job.id = result.execution_id"
        " JOIN executions_file file ON file.id = result.file_id"
    )
    made = [
        (prompt, each["fileId"])
        for prompt, (status, _) in jobs.items()
        if status == "succeeded"
        for each in truth[prompt][0]["results"]
    ]
    assert sorted(results) == sorted(made)
