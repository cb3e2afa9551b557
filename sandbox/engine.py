"""The job engine: queues accepted jobs, runs them in the pool for a realistic time, and finishes each once."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from dataclasses import dataclass
from typing import Any

from sandbox.analysis import Analyzer, url_expiry
from sandbox.faults import Fault, Faults, given_options
from sandbox.ids import new_id
from sandbox.pool import TaskRejected, WorkerDied, WorkerError
from sandbox.records import Execution, File
from sandbox.rendering import Renderer, publish_ready
from sandbox.serializer import Serializer
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.tools import TOOLS, Tool
from sandbox.webhooks import Webhooks

log = logging.getLogger("sandbox")
Json = dict[str, Any]

MAX_ATTEMPTS = 3
EXTRA_RESULT_SHARE = 0.25
"""Extra duration for each result after the first, as a share of the duration of one result."""

_FAIL_MARKER = re.compile(r"\[fail(?::([A-Za-z0-9_.-]{1,60}))?\]")


@dataclass
class Run:
    """A queued or running job. ``started_at``: loop time of this attempt; ``seconds``: its planned duration;
    ``rendered``: share of the media that is done, 0 to 1."""

    execution: Execution
    started_at: float = 0.0
    seconds: float = 0.0
    rendered: float = 0.0
    ignores_cancel: bool = False
    """Whether a cancel request has no effect (fault ``job`` with ``ignore_cancel``)."""
    task: asyncio.Task[None] | None = None

    def progress(self, now: float) -> float:
        """Percent of this attempt: mostly elapsed time, reduced while the maker lags behind."""
        if not self.seconds or not self.started_at:
            return 0.0
        time_share = min(1.0, (now - self.started_at) / self.seconds)
        return 99.0 * time_share * (0.7 + 0.3 * self.rendered)


class Engine:
    """Owns the executions that are not final. All others are read from the store."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        renderer: Renderer,
        faults: Faults,
        serializer: Serializer,
        webhooks: Webhooks,
        analyzer: Analyzer,
    ) -> None:
        self._settings = settings
        self._store = store
        self._renderer = renderer
        self._faults = faults
        self._serializer = serializer
        self._webhooks = webhooks
        self._analyzer = analyzer
        self._runs: dict[str, Run] = {}
        self._queue: asyncio.Queue[Run] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Queue the jobs that a restart interrupted. Those that were running start a new attempt."""
        for execution in self._store.in_state(Execution, "running", "awaiting_approval", "pending"):
            if execution.status != "pending":
                execution.attempt += 1
                execution.progress = 0.0
                self._store.save(execution)
            self._enqueue(execution)
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._settings.concurrency)]

    def close(self) -> None:
        for task in self._workers:
            task.cancel()
        for run in self._runs.values():
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
        """The execution with its current progress."""
        run = self._runs.get(execution_id)
        if run is None:
            return self._store.get(Execution, execution_id)
        return self.refresh(run.execution)

    def refresh(self, execution: Execution) -> Execution:
        """The in-memory record with its current progress; the given one if the job is not active."""
        run = self._runs.get(execution.id)
        if run is None:
            return execution
        run.execution.progress = max(run.execution.progress, run.progress(asyncio.get_running_loop().time()))
        return run.execution

    def cancel(self, execution_id: str) -> None:
        """Record the cancel request and stop the job. Does nothing for a final job (docs/api-notes.md#cancelling)."""
        run = self._runs.get(execution_id)
        if run is None:
            return
        execution = self.refresh(run.execution)
        execution.cancel_requested_at = execution.cancel_requested_at or time.time()
        if run.ignores_cancel:
            self._store.save(execution)
        elif run.task is not None:
            run.task.cancel()
        else:
            self._finish(run, "cancelled")

    def _enqueue(self, execution: Execution) -> None:
        run = self._runs[execution.id] = Run(execution)
        self._queue.put_nowait(run)

    async def _work(self) -> None:
        """Run queued jobs, one at a time."""
        while True:
            run = await self._queue.get()
            if run.execution.is_final:
                continue
            run.task = asyncio.create_task(self._run(run))
            await asyncio.wait({run.task})
            if run.task.cancelled():
                self._finish(run, "cancelled")
            elif (error := run.task.exception()) is not None:
                log.error("%s: unexpected error", run.execution.id, exc_info=error)
                self._fail(run, "Something went wrong on our side.", None, "SBX-1000")

    async def _run(self, run: Run) -> None:
        execution, tool = run.execution, TOOLS[run.execution.tool]
        faults = self._faults.for_job(tool.slug)
        options = given_options(faults)
        run.ignores_cancel = bool(options.get("ignore_cancel"))
        seconds = self._duration(tool, execution.request["numResults"], options.get("seconds"))
        execution.status = options.get("status") or "running"
        self._start_attempt(run, seconds)
        for _ in range(options.get("attempts") or 0):
            await asyncio.sleep(seconds / 2)
            self._start_next_attempt(run, seconds)
        code_option = options.get("fail")
        code = requested_failure(execution.request) if code_option is None else code_option
        if code is not None:
            await self._wait(seconds, faults)
            self._fail(run, "The sandbox was asked to fail this job.", code or None, "SBX-0001")
            return
        files = await self._render(run, tool, seconds, faults)
        if files is not None:
            self._succeed(run, [] if options.get("without_results") else files)

    async def _wait(self, seconds: float, faults: list[Fault]) -> None:
        """Wait for the job's duration, or until the faults that hold it have been removed."""
        holding = [fault for fault in faults if fault.options["hold"]]
        if not holding:
            await asyncio.sleep(seconds)
        for fault in holding:
            await fault.removed.wait()

    async def _render(self, run: Run, tool: Tool, seconds: float, faults: list[Fault]) -> list[File] | None:
        """Render the results, no faster than ``seconds``. None when the job has failed."""
        execution = run.execution
        while True:
            try:

                def report(share: float) -> None:
                    run.rendered = share

                rendering = self._renderer.render_results(execution, tool, report)
                files, _ = await asyncio.gather(rendering, self._wait(seconds, faults))
                return files
            except WorkerDied as error:
                log.warning("%s", error)
                if execution.attempt + 1 >= MAX_ATTEMPTS:
                    self._fail(run, "Something went wrong on our side.", None, "SBX-1002")
                    return None
            except TaskRejected as error:
                self._fail(run, error.message, error.code, "SBX-1003")
                return None
            except WorkerError as error:
                log.error("%s: %s", execution.id, error)
                self._fail(run, "Something went wrong on our side.", None, "SBX-1001")
                return None
            self._start_next_attempt(run, seconds)

    def _duration(self, tool: Tool, count: int, override: float | None) -> float:
        if override is not None:
            return override
        return random.uniform(*tool.seconds) * (1 + EXTRA_RESULT_SHARE * (count - 1)) / self._settings.speed

    def _start_attempt(self, run: Run, seconds: float) -> None:
        run.started_at, run.seconds, run.rendered = asyncio.get_running_loop().time(), seconds, 0.0
        self._store.save(run.execution)

    def _start_next_attempt(self, run: Run, seconds: float) -> None:
        run.execution.attempt += 1
        run.execution.progress = 0.0
        self._start_attempt(run, seconds)

    def _fail(self, run: Run, message: str, code: str | None, internal: str) -> None:
        run.execution.error = {"message": message, "code": code, "internalErrorCode": internal}
        self._finish(run, "failed")

    def _succeed(self, run: Run, files: list[File]) -> None:
        run.execution.results = [{"fileId": file.id, "type": file.type} for file in files]
        self._finish(run, "succeeded", files)

    def _finish(self, run: Run, status: str, files: list[File] | None = None) -> None:
        """Make the execution final, the only place to do so. Saves record, files and events in one transaction."""
        execution = self.refresh(run.execution)
        if execution.is_final:
            return
        files = files or []
        expires_at = url_expiry(self._settings, self._faults)
        execution.status = status
        execution.ended_at = time.time()
        if status == "succeeded":
            execution.progress = 100.0
            execution.signed_until = expires_at
        with self._store.transaction():
            for file in files:
                file.created_at = file.updated_at = execution.ended_at
                self._analyzer.begin(file)
            self._store.save(execution)
            self._webhooks.publish(self._serializer.tool_event(execution, [*files]))
            for file in files:
                publish_ready(self._webhooks, self._serializer, file, expires_at)
        self._runs.pop(execution.id, None)


def requested_failure(request: Json) -> str | None:
    """The error code of ``[fail:code]`` in a prompt, "" for ``[fail]``, None without such a marker."""
    for name in ("prompt", "ttsText", "spokenDialogue", "script"):
        match = _FAIL_MARKER.search(request.get(name) or "")
        if match:
            return match[1] or ""
    return None
