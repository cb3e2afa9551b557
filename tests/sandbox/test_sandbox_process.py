"""The process: start, stop, port in use, resource usage and restarts."""

from __future__ import annotations

import asyncio
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

from sandbox.__main__ import parser
from sandbox.records import Execution, File
from sandbox.server import bind
from tests.processes import children, is_alive, memory, wake_ups
from tests.sandbox.process import ROOT, SandboxServer
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.processes

type Launch = Callable[..., SandboxServer]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_without_waiting_for_work_in_flight(launch: Launch, number: signal.Signals) -> None:
    running = launch("--speed", "1")
    for _ in range(3):
        running.start(prompt="a long job", numResults=20)
    eventually(lambda: len(children(running.process.pid)), lambda count: count == 2)
    workers = children(running.process.pid)
    running.set_faults({"kind": "slow", "seconds": 10 * DEADLINE, "match": "GET /v1/me"})
    with pytest.raises(httpx.ReadTimeout):
        running.client.get("/v1/me", timeout=0.1)
    running.process.send_signal(number)
    assert running.process.wait(DEADLINE) == 0
    eventually(lambda: [pid for pid in workers if is_alive(pid)], lambda left: not left)
    assert running.process.stdout is not None
    assert running.process.stdout.read() == ""
    running.process.stdout.close()


def test_port_in_use_is_reported_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--port", str(port), "--api-key", "k")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.strip() == f"The sandbox cannot listen on 127.0.0.1:{port}: it is already in use."


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "99999"],
        ["--speed", "0"],
        ["--strict-api-version"],
        ["--api-version", "3"],
        ["--concurrency", "0"],
        ["--largest-upload", "0"],
    ],
)
def test_invalid_arguments_are_rejected(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert arguments[0] in result.stderr


def test_the_default_largest_upload_can_be_given_explicitly() -> None:
    assert parser().parse_args(["--largest-upload", "2147483648"]).largest_upload == 2 * 1024**3


def test_stops_with_its_parent_process() -> None:
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
    assert is_alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: is_alive(child), lambda alive: not alive)


def test_an_idle_sandbox_sleeps_has_no_children_and_little_memory(launch: Launch) -> None:
    pid = launch().process.pid

    def wake_ups_in_a_second() -> int:
        before = wake_ups(pid)
        time.sleep(1)  # an idle process has no event to wait for
        return wake_ups(pid) - before

    # Its start may not be complete at first.
    eventually(wake_ups_in_a_second, lambda count: count == 0)
    assert memory(pid) < 150
    assert children(pid) == []


def test_restart_keeps_executions_files_and_endpoints(launch: Launch, tmp_path: Path) -> None:
    first = launch("--data-dir", str(tmp_path), "--speed", "20")
    body = {"url": "http://127.0.0.1:9/hook", "events": ["tool_execution.failed"]}
    endpoint = first.client.post("/v1/webhooks/endpoints", json=body).json()
    result = first.make("text-to-speech", ttsText="hello")
    first.kill()
    second = launch("--data-dir", str(tmp_path), "--speed", "20")
    restored = second.execution(result["toolExecutionId"])
    assert restored["status"] == "succeeded"
    file_id = restored["results"][0]["fileId"]
    source = second.client.post(f"/v1/files/{file_id}/hydrate").json()["downloadSource"]
    assert len(httpx.get(source["url"]).content) == source["fileBytes"]
    (stored,) = second.client.get("/v1/webhooks/endpoints").json()["endpoints"]
    assert stored["endpointId"] == endpoint["endpointId"]


def test_records_are_stored_under_the_names_of_version_0_1_0() -> None:
    execution = Execution(id="vg_exec_1", cancel_requested_at=1.0)
    file = File(id="vg_file_1", pending_description="A pier.", pending_transcript="Good evening.")
    assert execution.as_json()["cancel_asked_at"] == 1.0
    assert (file.as_json()["findings"], file.as_json()["heard"]) == ("A pier.", "Good evening.")
    assert Execution.from_json(execution.as_json()) == execution
    assert File.from_json(file.as_json()) == file


def test_crash_during_a_job_starts_a_new_attempt(launch: Launch, tmp_path: Path) -> None:
    first = launch("--data-dir", str(tmp_path), "--speed", "20", "--concurrency", "1")
    first.set_faults({"kind": "job", "seconds": 60})
    ids = [first.start("text-to-speech", ttsText="one"), first.start("text-to-speech", ttsText="two")]
    eventually(lambda: first.execution(ids[0])["status"], lambda status: status == "running")
    first.kill()
    second = launch("--data-dir", str(tmp_path), "--speed", "20")
    one, two = (second.wait_until_final(each) for each in ids)
    assert (one["status"], one["attemptIndex"]) == ("succeeded", 1)
    assert (two["status"], two["attemptIndex"]) == ("succeeded", 0)


def test_death_of_a_worker_starts_a_new_attempt(launch: Launch) -> None:
    running = launch("--speed", "5")
    started = running.start(prompt="many hills", numResults=6)
    (worker,) = eventually(lambda: children(running.process.pid), lambda found: len(found) == 1)
    os.kill(worker, signal.SIGKILL)
    result = running.wait_until_final(started)
    assert (result["status"], result["attemptIndex"]) == ("succeeded", 1)
    assert len(result["results"]) == 6


async def test_responses_are_not_delayed_by_nagles_algorithm() -> None:
    """Without TCP_NODELAY each response takes 40 ms."""
    no_delay: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        no_delay.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(on_connection, sock=bind("127.0.0.1", 0)) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        has_no_delay = await no_delay
        writer.close()
        await writer.wait_closed()
    assert has_no_delay
