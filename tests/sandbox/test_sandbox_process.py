"""The program: its ready line, its end, a port in use, and what it keeps over a restart."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.sandbox.running import ROOT, Running
from tests.waiting import eventually

pytestmark = pytest.mark.processes

type Launch = Callable[..., Running]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)


def memory(pid: int) -> int:
    """Resident memory in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no VmRSS")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_a_second_even_with_work_in_flight(launch: Launch, number: signal.Signals) -> None:
    running = launch("--speed", "1")
    for _ in range(3):
        running.start(prompt="a long job", numResults=20)
    eventually(lambda: len(children(running.process.pid)), lambda count: count == 2)
    workers = children(running.process.pid)
    running.order({"kind": "slow", "seconds": 60, "match": "GET /v1/me"})
    with pytest.raises(httpx.ReadTimeout):
        running.client.get("/v1/me", timeout=0.1)
    began = time.monotonic()
    running.process.send_signal(number)
    assert running.process.wait(5) == 0
    assert time.monotonic() - began < 1
    eventually(lambda: [pid for pid in workers if Path(f"/proc/{pid}").exists()], lambda left: not left)
    assert running.process.stdout is not None
    assert running.process.stdout.read() == ""
    running.process.stdout.close()


def test_a_port_in_use_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--port", str(port), "--api-key", "k")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.strip() == f"The sandbox cannot listen on 127.0.0.1:{port}: it is already in use."


@pytest.mark.parametrize(
    "arguments",
    [["--port", "99999"], ["--speed", "0"], ["--strict-era"], ["--era", "3"], ["--concurrency", "0"]],
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert arguments[0] in ended.stderr


def test_it_follows_its_parent_into_the_end() -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'sandbox', '--port', '0', '--with-parent'],\n"
        "                         stdout=subprocess.PIPE, text=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"  # until it is killed
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def is_gone() -> bool:
        stat = Path(f"/proc/{child}/stat")
        return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"

    eventually(is_gone, bool)


def test_idle_it_costs_next_to_nothing(launch: Launch) -> None:
    pid = launch().process.pid
    time.sleep(0.3)  # so that its start is over
    before = cpu_seconds(pid)
    time.sleep(2)  # shows what it does when nothing is asked of it
    assert cpu_seconds(pid) - before < 0.05
    assert memory(pid) < 150
    assert children(pid) == []


def test_a_restart_keeps_executions_files_and_endpoints(launch: Launch, tmp_path: Path) -> None:
    first = launch("--data-dir", str(tmp_path), "--speed", "20")
    body = {"url": "http://127.0.0.1:9/hook", "events": ["tool_execution.failed"]}
    endpoint = first.client.post("/v1/webhooks/endpoints", json=body).json()
    ended = first.make("text-to-speech", ttsText="kept")
    first.kill()
    second = launch("--data-dir", str(tmp_path), "--speed", "20")
    again = second.execution(ended["toolExecutionId"])
    assert again["status"] == "succeeded"
    file_id = again["results"][0]["fileId"]
    source = second.client.post(f"/v1/files/{file_id}/hydrate").json()["downloadSource"]
    assert len(httpx.get(source["url"]).content) == source["fileBytes"]
    (kept,) = second.client.get("/v1/webhooks/endpoints").json()["endpoints"]
    assert kept["endpointId"] == endpoint["endpointId"]


def test_a_crash_in_the_middle_of_a_job_means_another_attempt(launch: Launch, tmp_path: Path) -> None:
    first = launch("--data-dir", str(tmp_path), "--speed", "20", "--concurrency", "1")
    first.order({"kind": "job", "seconds": 60})
    ids = [first.start("text-to-speech", ttsText="one"), first.start("text-to-speech", ttsText="two")]
    eventually(lambda: first.execution(ids[0])["status"], lambda status: status == "running")
    first.kill()
    second = launch("--data-dir", str(tmp_path), "--speed", "20")
    one, two = (second.finished(each) for each in ids)
    assert (one["status"], one["attemptIndex"]) == ("succeeded", 1)
    assert (two["status"], two["attemptIndex"]) == ("succeeded", 0)


def test_a_worker_that_dies_means_another_attempt(launch: Launch) -> None:
    running = launch("--speed", "5")
    started = running.start(prompt="many hills", numResults=6)
    (worker,) = eventually(lambda: children(running.process.pid), lambda found: len(found) == 1)
    os.kill(worker, signal.SIGKILL)
    ended = running.finished(started)
    assert (ended["status"], ended["attemptIndex"]) == ("succeeded", 1)
    assert len(ended["results"]) == 6


def test_answers_are_not_held_back_by_the_network_stack(sandbox: Running) -> None:
    """Without TCP_NODELAY each answer would take 40 ms, whatever the machine."""
    times = []
    for _ in range(15):
        began = time.perf_counter()
        assert sandbox.client.get("/v1/me").status_code == 200
        times.append(time.perf_counter() - began)
    assert sorted(times)[7] < 0.03
