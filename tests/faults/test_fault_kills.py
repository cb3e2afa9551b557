"""`kill -9` of a real `manage.py serve`, at chosen moments and under load: rows 9 and 53 of docs/reliability.md."""

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

from tests import steps
from tests.dashboard.serving import Serving, csrf_token
from tests.faults.installation import Installation
from tests.faults.load import THREADS, Load
from tests.waiting import DEADLINE, eventually


class KillableServing(Serving):
    """A `serve` that is killed at the moment that KILL_AT names."""

    program = ("-m", "tests.faults.killable_serve")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data")
    yield installation
    installation.end()


@pytest.mark.slow
def test_a_server_killed_during_a_start_never_starts_a_job_twice(installation: Installation) -> None:
    """Fault 9: killed before sending, while sending, while VideoGen works, after its response: sent once or unconfirmed."""
    moments = ("written", "sending", "answered")
    prompts = {
        "in progress": steps.unique_prompt(),
        **{moment: f"{steps.unique_prompt()} [{moment}]" for moment in moments},
    }
    for moment in moments:
        serving = installation.start(KillableServing, KILL_AT=moment)
        with serving.signed_in() as member, serving.signed_in("admin") as admin:
            # In the last round another start is in progress, to which the sandbox responds slowly.
            thread = (
                start_in_background(installation, admin, prompts["in progress"])
                if moment == "answered"
                else None
            )
            with pytest.raises(httpx.TransportError):
                start(member, prompts[moment])
            assert serving.wait() == -signal.SIGKILL
            if thread is not None:
                thread.join(DEADLINE)
        installation.wait_for_sandbox_exit()

    installation.start()
    jobs, truth = installation.wait_until_settled(), installation.sandbox_jobs()

    assert jobs[prompts["written"]][0] == "succeeded"
    for moment in ("sending", "in progress", "answered"):
        status, remote_id = jobs[prompts[moment]]
        sandbox_ids = [each["toolExecutionId"] for each in truth.get(prompts[moment], [])]
        assert status == "unconfirmed" or remote_id in sandbox_ids, f"{moment}: {status} {remote_id}"
    starts = {moment: len(truth.get(prompt, [])) for moment, prompt in prompts.items()}
    assert starts["in progress"] <= 1
    assert {**starts, "in progress": 0} == {"written": 1, "sending": 0, "in progress": 0, "answered": 1}
    assert set(installation.outcome_counts().values()) == {1}
    sent = installation.query(
        "SELECT count(*) FROM executions_event WHERE kind = 'sent' GROUP BY execution_id"
    )
    assert sent == [(1,)] * 4


def start(browser: httpx.Client, prompt: str) -> None:
    browser.post("/tools/generate-image/", data={**steps.form(prompt), **csrf_token(browser)})


def start_in_background(installation: Installation, browser: httpx.Client, prompt: str) -> threading.Thread:
    """A start that the sandbox has received, and does not respond to."""
    slow = {"kind": "slow", "seconds": 60, "match": steps.STARTS, "count": 2}
    installation.control("POST", "faults", {"faults": [slow]})

    def run() -> None:
        with suppress(httpx.TransportError):
            start(browser, prompt)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: installation.control("GET", "faults")["faults"][0]["triggered"])
    installation.control("DELETE", "faults")
    return thread


@pytest.mark.slow
def test_random_kills_under_load_leave_every_job_with_its_true_outcome(
    installation: Installation,
) -> None:
    """Fault 53: server (with its reconciler) and sandbox killed under load: after the restart all outcomes are right."""
    rng = random.Random(53)
    serving = installation.start()
    with serving.signed_in() as member:
        load = Load(member.cookies, serving.url)

    for target, victim in ((rng.randint(3, 10), "server"), (rng.randint(13, 20), "sandbox")):
        eventually(lambda target=target: len(installation.jobs()) >= target)
        if victim == "sandbox":
            (sandbox_pid,) = serving.children()
            os.kill(sandbox_pid, signal.SIGKILL)
            # The server notices; jobs that cannot be sent stay queued.
            eventually(lambda serving=serving: "cannot be reached" in serving.errors)
        load.down()
        installation.kill()
        serving = installation.start()
        load.up(serving.url)
    load.join()

    jobs, truth, endings = (
        installation.wait_until_settled(),
        installation.sandbox_jobs(),
        installation.outcome_counts(),
    )
    assert set(jobs) == set(load.prompts)
    for prompt, (status, remote_id) in jobs.items():
        starts = truth.get(prompt, [])
        assert len(starts) <= 1, "a job was started twice"
        if status == "unconfirmed":
            assert (remote_id, endings.get(prompt)) == (None, None)
        else:
            (there,) = starts
            assert (status, remote_id) == (there["status"], there["toolExecutionId"])
            assert endings[prompt] == 1
    assert {status for status, _ in jobs.values()} <= {"succeeded", "failed", "unconfirmed"}
    # Only starts that were in progress when a process was killed can be unconfirmed.
    assert sum(status == "unconfirmed" for status, _ in jobs.values()) <= 4 * THREADS
    results = installation.query(
        "SELECT job.prompt, file.remote_id FROM executions_result result"
        " JOIN executions_execution job ON job.id = result.execution_id"
        " JOIN executions_file file ON file.id = result.file_id"
    )
    expected = [
        (prompt, each["fileId"])
        for prompt, (status, _) in jobs.items()
        if status == "succeeded"
        for each in truth[prompt][0]["results"]
    ]
    assert sorted(results) == sorted(expected)
