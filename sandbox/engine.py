"""The job engine: what is accepted waits its turn, runs in the pool for a believable time, and ends once."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from dataclasses import dataclass
from typing import Any

from sandbox.analysis import Analyst, signed_from_now
from sandbox.faults import Faults
from sandbox.ids import new_id
from sandbox.pool import Refused, WorkerBroken, WorkerDied
from sandbox.records import Execution, File
from sandbox.settings import Settings
from sandbox.shapes import Shapes
from sandbox.store import Store
from sandbox.tools import TOOLS, Tool
from sandbox.webhooks import Webhooks
from sandbox.workshop import Workshop, announce_ready

log = logging.getLogger("sandbox")
Json = dict[str, Any]

MOST_ATTEMPTS = 3
FURTHER_RESULT = 0.25
"""What each alternative after the first adds to the length of a job, as a share of one result's time."""

_WISH_TO_FAIL = re.compile(r"\[fail(?::([A-Za-z0-9_.-]{1,60}))?\]")


@dataclass
class Run:
    """A job in progress: when this attempt began (loop time), how long it should take, how much is made."""

    execution: Execution
    began: float = 0.0
    seconds: float = 0.0
    made: float = 0.0
    stubborn: bool = False
    """Whether a wish to cancel comes too late (fault ``job`` with ``ignore_cancel``)."""
    task: asyncio.Task[None] | None = None

    def progress(self, now: float) -> float:
        """Percent of this attempt: mostly time, slowed down while the maker lags behind."""
        if not self.seconds or not self.began:
            return 0.0
        time_share = min(1.0, (now - self.began) / self.seconds)
        return 99.0 * time_share * (0.7 + 0.3 * self.made)


class Engine:
    """Owns the executions that are not final yet; everything else is read from the store."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        workshop: Workshop,
        faults: Faults,
        shapes: Shapes,
        webhooks: Webhooks,
        analyst: Analyst,
    ) -> None:
        self._settings = settings
        self._store = store
        self._workshop = workshop
        self._faults = faults
        self._shapes = shapes
        self._webhooks = webhooks
        self._analyst = analyst
        self._live: dict[str, Run] = {}
        self._queue: asyncio.Queue[Run] = asyncio.Queue()
        self._slots: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Queue what a restart interrupted; what was running counts as a new attempt."""
        for execution in self._store.in_state(Execution, "running", "awaiting_approval", "pending"):
            if execution.status != "pending":
                execution.attempt += 1
                execution.progress = 0.0
                self._store.save(execution)
            self._enqueue(execution)
        self._slots = [asyncio.create_task(self._slot()) for _ in range(self._settings.concurrency)]

    def close(self) -> None:
        for task in self._slots:
            task.cancel()
        for run in self._live.values():
            if run.task is not None:
                run.task.cancel()

    def submit(self, tool: Tool, request: Json, owner: str) -> Execution:
        execution = Execution(
            id=new_id(self._settings.execution_prefix),
            owner=owner,
            tool=tool.slug,
            tool_type=tool.tool_type,
            request=request,
        )
        self._store.save(execution)
        self._enqueue(execution)
        return execution

    def find(self, execution_id: str) -> Execution | None:
        """The execution as it stands at this moment, progress included."""
        run = self._live.get(execution_id)
        if run is None:
            return self._store.get(Execution, execution_id)
        return self.refresh(run.execution)

    def refresh(self, execution: Execution) -> Execution:
        """The live record in place of one read from the store, with its progress brought up to date."""
        run = self._live.get(execution.id)
        if run is None:
            return execution
        run.execution.progress = max(run.execution.progress, run.progress(asyncio.get_running_loop().time()))
        return run.execution

    def cancel(self, execution_id: str) -> None:
        """Note the wish; a job that has not ended stops, and its work with it (docs/api-notes.md#cancelling: else nothing happens)."""
        run = self._live.get(execution_id)
        if run is None:
            return
        execution = self.refresh(run.execution)
        execution.cancel_asked_at = execution.cancel_asked_at or time.time()
        if run.stubborn:
            self._store.save(execution)
        elif run.task is not None:
            run.task.cancel()
        else:
            self._end(run, "cancelled")

    def _enqueue(self, execution: Execution) -> None:
        run = self._live[execution.id] = Run(execution)
        self._queue.put_nowait(run)

    async def _slot(self) -> None:
        """One of the places in which jobs run."""
        while True:
            run = await self._queue.get()
            if run.execution.is_final:
                continue
            run.task = asyncio.create_task(self._run(run))
            await asyncio.wait({run.task})
            if run.task.cancelled():
                self._end(run, "cancelled")
            elif (error := run.task.exception()) is not None:
                log.error("%s broke", run.execution.id, exc_info=error)
                self._fail(run, "Something went wrong on our side.", None, "SBX-1000")

    async def _run(self, run: Run) -> None:
        execution, tool = run.execution, TOOLS[run.execution.tool]
        told: Json = {}
        for fault in self._faults.for_job(tool.slug):
            told |= fault.options
        run.stubborn = bool(told.get("ignore_cancel"))
        seconds = self._planned(tool, execution.request["numResults"], told.get("seconds"))
        execution.status = told.get("status") or "running"
        self._begin(run, seconds)
        for _ in range(told.get("attempts") or 0):
            await asyncio.sleep(seconds / 2)
            self._next_attempt(run, seconds)
        told_code = told.get("fail")
        code = wish_to_fail(execution.request) if told_code is None else told_code
        if code is not None:
            await asyncio.sleep(seconds)
            self._fail(run, "The sandbox was asked to let this job fail.", code or None, "SBX-0001")
            return
        files = await self._made(run, tool, seconds)
        if files is not None:
            self._succeed(run, [] if told.get("without_results") else files)

    async def _made(self, run: Run, tool: Tool, seconds: float) -> list[File] | None:
        """The results, not before their time; None when the job has failed instead."""
        execution = run.execution
        while True:
            try:

                def report(share: float) -> None:
                    run.made = share

                making = self._workshop.make_all(execution, tool, report)
                files, _ = await asyncio.gather(making, asyncio.sleep(seconds))
                return files
            except WorkerDied as died:
                log.warning("%s", died)
                if execution.attempt + 1 >= MOST_ATTEMPTS:
                    self._fail(run, "Something went wrong on our side.", None, "SBX-1002")
                    return None
            except Refused as refused:
                self._fail(run, refused.message, refused.code, "SBX-1003")
                return None
            except WorkerBroken as broken:
                log.error("%s: %s", execution.id, broken)
                self._fail(run, "Something went wrong on our side.", None, "SBX-1001")
                return None
            self._next_attempt(run, seconds)

    def _planned(self, tool: Tool, count: int, told: float | None) -> float:
        if told is not None:
            return told
        return random.uniform(*tool.seconds) * (1 + FURTHER_RESULT * (count - 1)) / self._settings.speed

    def _begin(self, run: Run, seconds: float) -> None:
        run.began, run.seconds, run.made = asyncio.get_running_loop().time(), seconds, 0.0
        self._store.save(run.execution)

    def _next_attempt(self, run: Run, seconds: float) -> None:
        run.execution.attempt += 1
        run.execution.progress = 0.0
        self._begin(run, seconds)

    def _fail(self, run: Run, message: str, code: str | None, internal: str) -> None:
        run.execution.error = {"message": message, "code": code, "internalErrorCode": internal}
        self._end(run, "failed")

    def _succeed(self, run: Run, files: list[File]) -> None:
        run.execution.results = [{"fileId": file.id, "type": file.type} for file in files]
        self._end(run, "succeeded", files)

    def _end(self, run: Run, status: str, files: list[File] | None = None) -> None:
        """The one place where an execution becomes final; record, files and events go together."""
        execution = self.refresh(run.execution)
        if execution.is_final:
            return
        files = files or []
        signed = signed_from_now(self._settings, self._faults)
        execution.status = status
        execution.ended_at = time.time()
        if status == "succeeded":
            execution.progress = 100.0
            execution.signed_until = signed
        with self._store.transaction():
            for file in files:
                file.created_at = file.updated_at = execution.ended_at
                self._analyst.begin(file)
            self._store.save(execution)
            self._webhooks.publish(self._shapes.tool_event(execution, [*files]))
            for file in files:
                announce_ready(self._webhooks, self._shapes, file, signed)
        self._live.pop(execution.id, None)


def wish_to_fail(request: Json) -> str | None:
    """``[fail]`` or ``[fail:code]`` in a prompt: the code, "" when none was given, None without such a wish."""
    for name in ("prompt", "ttsText", "spokenDialogue", "script"):
        found = _WISH_TO_FAIL.search(request.get(name) or "")
        if found:
            return found[1] or ""
    return None
