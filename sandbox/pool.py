"""The pool of worker processes: started on demand, killed to cancel a task, stopped after a minute of idle time."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
IDLE_SECONDS = 60.0
_MAX_LINE_BYTES = 8 * 1024 * 1024
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
)


class WorkerDied(Exception):
    """The process exited while it was running a task."""


class WorkerError(Exception):
    """The maker raised an exception. The message is its traceback."""


class TaskRejected(Exception):
    """The maker rejected the task, for the reason in the message."""

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Pool:
    """Runs one task per worker at a time, with as many workers as there are parallel tasks."""

    def __init__(self) -> None:
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._idle_timers: dict[int, asyncio.TimerHandle] = {}

    async def run(self, task: Json, report: Callable[[float], None] = lambda share: None) -> Json:
        """Run a task and return its result. Cancelling this call kills the worker.

        Raises TaskRejected, WorkerError or WorkerDied.
        """
        worker = await self._worker()
        try:
            reply = await self._exchange(worker, task, report)
        except BaseException:
            self._kill(worker)
            raise
        self._set_idle(worker)
        if "rejected" in reply:
            raise TaskRejected(reply["rejected"]["message"], reply["rejected"]["code"])
        if "error" in reply:
            raise WorkerError(reply["error"])
        media: Json = reply["media"]
        return media

    async def close(self) -> None:
        """Kill all workers, and wait until they have exited."""
        for handle in self._idle_timers.values():
            handle.cancel()
        workers = list(self._all)
        for worker in workers:
            self._kill(worker)
        await asyncio.gather(*(worker.wait() for worker in workers))

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._all]

    async def _worker(self) -> asyncio.subprocess.Process:
        while self._idle:
            worker = self._idle.pop()
            self._idle_timers.pop(worker.pid).cancel()
            if worker.returncode is None:
                return worker
            self._all.discard(worker)
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sandbox.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_BYTES,
            env={**os.environ, **_ONE_THREAD},
        )
        self._all.add(worker)
        return worker

    async def _exchange(
        self, worker: asyncio.subprocess.Process, task: Json, report: Callable[[float], None]
    ) -> Json:
        assert worker.stdin is not None, "workers are started with pipes"
        assert worker.stdout is not None, "workers are started with pipes"
        try:
            worker.stdin.write(json.dumps(task).encode() + b"\n")
            await worker.stdin.drain()
            while line := await worker.stdout.readline():
                reply: Json = json.loads(line)
                if "progress" not in reply:
                    return reply
                report(reply["progress"])
        except (BrokenPipeError, ConnectionResetError):
            pass
        raise WorkerDied(f"a worker exited during {task['tool']}")

    def _set_idle(self, worker: asyncio.subprocess.Process) -> None:
        self._idle.append(worker)
        loop = asyncio.get_running_loop()
        self._idle_timers[worker.pid] = loop.call_later(IDLE_SECONDS, self._stop_idle, worker)

    def _stop_idle(self, worker: asyncio.subprocess.Process) -> None:
        self._idle_timers.pop(worker.pid, None)
        self._idle.remove(worker)
        self._kill(worker)

    def _kill(self, worker: asyncio.subprocess.Process) -> None:
        self._all.discard(worker)
        if worker.returncode is None:
            worker.kill()
