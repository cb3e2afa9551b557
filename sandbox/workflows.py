"""Workflow runs, which create a whole video as a project. The sandbox has no editor: a run only takes time.

It creates a video only with ``autoExport``: a clip that speaks the words of the script.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any

from sandbox.analysis import url_expiry
from sandbox.engine import requested_failure
from sandbox.faults import Faults, given_options
from sandbox.fields import read_fields
from sandbox.ids import new_id
from sandbox.pool import Pool, TaskRejected, WorkerDied, WorkerError
from sandbox.records import File, Workflow
from sandbox.rendering import to_renditions
from sandbox.serializer import Serializer
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.tools import TOOLS
from sandbox.webhooks import Webhooks

log = logging.getLogger("sandbox")
Json = dict[str, Any]

DURATION = (8.0, 14.0)
"""Minimum and maximum duration of a run at speed 1, in seconds."""
MAX_CONCURRENT = 4


class Workflows:
    def __init__(
        self,
        settings: Settings,
        store: Store,
        pool: Pool,
        faults: Faults,
        serializer: Serializer,
        webhooks: Webhooks,
    ) -> None:
        self._settings = settings
        self._store = store
        self._pool = pool
        self._faults = faults
        self._serializer = serializer
        self._webhooks = webhooks
        self._runs: dict[str, Workflow] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT)

    def start(self) -> None:
        """Restart interrupted runs. Those that were running start a new attempt."""
        for workflow in self._store.in_state(Workflow, "running", "pending"):
            workflow.attempt += workflow.status == "running"
            self._spawn(workflow)

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def submit(self, kind: str, request: Json, owner: str) -> Workflow:
        actions = request.get("remixActions") or []
        workflow = Workflow(
            id=new_id("vg_work_"),
            owner=owner,
            kind=kind,
            request=request,
            project=new_id("vg_proj_"),
            remix_actions=[new_id("vg_rmix_") for _ in actions],
        )
        self._store.save(workflow)
        self._spawn(workflow)
        return workflow

    def find(self, run_id: str) -> Workflow | None:
        return self._runs.get(run_id) or self._store.get(Workflow, run_id)

    def refresh(self, workflow: Workflow) -> Workflow:
        """The in-memory record; the given one if the run is not active."""
        return self._runs.get(workflow.id, workflow)

    def cancel(self, run_id: str) -> None:
        workflow = self._runs.get(run_id)
        if workflow is not None:
            task = self._tasks.get(run_id)
            if task is not None:
                task.cancel()
            self._finish(workflow, "cancelled")

    def _spawn(self, workflow: Workflow) -> None:
        self._runs[workflow.id] = workflow
        task = asyncio.get_running_loop().create_task(self._run(workflow))
        self._tasks[workflow.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(workflow.id, None))

    async def _run(self, workflow: Workflow) -> None:
        options = given_options(self._faults.for_job(workflow.kind))
        fail = options.get("fail")
        code = requested_failure(workflow.request) if fail is None else fail
        seconds = options.get("seconds")
        pause = random.uniform(*DURATION) / self._settings.speed if seconds is None else seconds
        async with self._semaphore:
            workflow.status = "running"
            self._store.save(workflow)
            for step in range(10):
                await asyncio.sleep(pause / 10)
                workflow.progress = (step + 1) * 9.9
            if code is not None:
                message = "The sandbox was asked to fail this run."
                workflow.error = {"message": message, "code": code or None, "internalErrorCode": "SBX-0001"}
                self._finish(workflow, "failed")
                return
            try:
                video = await self._export(workflow) if workflow.request.get("autoExport") else None
            except (TaskRejected, WorkerError, WorkerDied) as error:
                log.error("%s: %s", workflow.id, error)
                workflow.error = {
                    "message": "The video could not be rendered.",
                    "internalErrorCode": "SBX-1001",
                }
                self._finish(workflow, "failed")
                return
            self._finish(workflow, "succeeded", video)

    async def _export(self, workflow: Workflow) -> File:
        """Create a clip of the script instead of rendering a project."""
        words = " ".join(str(workflow.request.get("script") or "A video without a script").split())[:600]
        tool = TOOLS["generate-video-clip"]
        body = {"prompt": words, "spokenDialogue": words, "generateAudio": True, "durationSeconds": 5}
        body["aspectRatio"] = workflow.request.get("aspectRatio") or {"width": 16, "height": 9}
        request = read_fields(tool.fields, body, Settings((), self._settings.data_dir, ""))
        file_id = new_id("vg_file_")
        task = {
            "tool": tool.slug,
            "maker": tool.maker,
            "request": request,
            "index": 0,
            "folder": str(self._settings.media_dir / file_id),
            "inputs": {},
        }
        media = await self._pool.run(task)
        return File(
            id=file_id,
            owner=workflow.owner,
            type=media["type"],
            scope="EXPORT",
            display_name=media["display_name"],
            duration=media["duration"],
            transcript=media["transcript"],
            language=media["language"],
            renditions=to_renditions(media),
        )

    def _finish(self, workflow: Workflow, status: str, video: File | None = None) -> None:
        """Make the run final. Saves record, video and event together."""
        self._runs.pop(workflow.id, None)
        workflow.status = status
        workflow.ended_at = time.time()
        if status == "succeeded":
            workflow.progress = 100.0
        with self._store.transaction():
            if video is not None:
                video.hydrated_until = url_expiry(self._settings, self._faults)
                workflow.export, workflow.export_file = new_id("vg_expo_"), video.id
                self._store.save(video)
            self._store.save(workflow)
            self._webhooks.publish(self._serializer.workflow_event(workflow, video))
