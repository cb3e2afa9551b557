"""The pool of worker processes: started when there is work, killed to stop it, gone after a minute without any."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
IDLE_SECONDS = 60.0
_LONGEST_LINE = 8 * 1024 * 1024
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
)


class WorkerDied(Exception):
    """The process ended in the middle of its work."""


class WorkerBroken(Exception):
    """The maker raised; the message is its traceback."""


class Refused(Exception):
    """The maker cannot make this, and says why."""

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Pool:
    """At most one order per worker at a time; as many workers as orders run at once."""

    def __init__(self) -> None:
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._retirements: dict[int, asyncio.TimerHandle] = {}

    async def run(self, order: Json, report: Callable[[float], None] = lambda share: None) -> Json:
        """What the maker made. Cancelling this call kills the worker, and with it the work."""
        worker = await self._worker()
        try:
            answer = await self._exchange(worker, order, report)
        except BaseException:
            self._kill(worker)
            raise
        self._rest(worker)
        if "refused" in answer:
            raise Refused(answer["refused"]["message"], answer["refused"]["code"])
        if "broken" in answer:
            raise WorkerBroken(answer["broken"])
        made: Json = answer["made"]
        return made

    async def close(self) -> None:
        """Kill all workers, and wait until they are gone."""
        for handle in self._retirements.values():
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
            self._retirements.pop(worker.pid).cancel()
            if worker.returncode is None:
                return worker
            self._all.discard(worker)
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sandbox.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env={**os.environ, **_ONE_THREAD},
        )
        self._all.add(worker)
        return worker

    async def _exchange(
        self, worker: asyncio.subprocess.Process, order: Json, report: Callable[[float], None]
    ) -> Json:
        assert worker.stdin is not None, "workers are started with pipes"
        assert worker.stdout is not None, "workers are started with pipes"
        try:
            worker.stdin.write(json.dumps(order).encode() + b"\n")
            await worker.stdin.drain()
            while line := await worker.stdout.readline():
                answer: Json = json.loads(line)
                if "share" not in answer:
                    return answer
                report(answer["share"])
        except (BrokenPipeError, ConnectionResetError):
            pass
        raise WorkerDied(f"a worker ended in the middle of {order['tool']}")

    def _rest(self, worker: asyncio.subprocess.Process) -> None:
        self._idle.append(worker)
        loop = asyncio.get_running_loop()
        self._retirements[worker.pid] = loop.call_later(IDLE_SECONDS, self._retire, worker)

    def _retire(self, worker: asyncio.subprocess.Process) -> None:
        self._retirements.pop(worker.pid, None)
        self._idle.remove(worker)
        self._kill(worker)

    def _kill(self, worker: asyncio.subprocess.Process) -> None:
        self._all.discard(worker)
        if worker.returncode is None:
            worker.kill()
