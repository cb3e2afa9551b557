"""Workflow runs: whole videos that become a project. The sandbox has no editor: a run takes its time and ends.

Only with ``autoExport`` a film is really made: a clip in which the words are spoken.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any

from sandbox.analysis import signed_from_now
from sandbox.engine import wish_to_fail
from sandbox.faults import Faults
from sandbox.fields import read_fields
from sandbox.ids import new_id
from sandbox.pool import Pool, Refused, WorkerBroken, WorkerDied
from sandbox.records import File, Workflow
from sandbox.settings import Settings
from sandbox.shapes import Shapes
from sandbox.store import Store
from sandbox.tools import TOOLS
from sandbox.webhooks import Webhooks
from sandbox.workshop import renditions_of

log = logging.getLogger("sandbox")
Json = dict[str, Any]

SECONDS = (8.0, 14.0)
"""How long a run takes at speed 1."""
AT_ONCE = 4


class Workflows:
    def __init__(
        self,
        settings: Settings,
        store: Store,
        pool: Pool,
        faults: Faults,
        shapes: Shapes,
        webhooks: Webhooks,
    ) -> None:
        self._settings = settings
        self._store = store
        self._pool = pool
        self._faults = faults
        self._shapes = shapes
        self._webhooks = webhooks
        self._live: dict[str, Workflow] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        """Run again what a restart interrupted, as another attempt."""
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
        return self._live.get(run_id) or self._store.get(Workflow, run_id)

    def refresh(self, workflow: Workflow) -> Workflow:
        """The live record in place of one read from the store."""
        return self._live.get(workflow.id, workflow)

    def cancel(self, run_id: str) -> None:
        workflow = self._live.get(run_id)
        if workflow is not None:
            task = self._tasks.get(run_id)
            if task is not None:
                task.cancel()
            self._end(workflow, "cancelled")

    def _spawn(self, workflow: Workflow) -> None:
        self._live[workflow.id] = workflow
        task = asyncio.get_running_loop().create_task(self._run(workflow))
        self._tasks[workflow.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(workflow.id, None))

    async def _run(self, workflow: Workflow) -> None:
        told: Json = {}
        for fault in self._faults.for_job(workflow.kind):
            told |= fault.options
        wish = told.get("fail")
        code = wish_to_fail(workflow.request) if wish is None else wish
        seconds = told.get("seconds")
        pause = random.uniform(*SECONDS) / self._settings.speed if seconds is None else seconds
        async with self._turns:
            workflow.status = "running"
            self._store.save(workflow)
            for step in range(10):
                await asyncio.sleep(pause / 10)
                workflow.progress = (step + 1) * 9.9
            if code is not None:
                message = "The sandbox was asked to let this run fail."
                workflow.error = {"message": message, "code": code or None, "internalErrorCode": "SBX-0001"}
                self._end(workflow, "failed")
                return
            try:
                film = await self._exported(workflow) if workflow.request.get("autoExport") else None
            except (Refused, WorkerBroken, WorkerDied) as problem:
                log.error("%s: %s", workflow.id, problem)
                workflow.error = {
                    "message": "The film could not be rendered.",
                    "internalErrorCode": "SBX-1001",
                }
                self._end(workflow, "failed")
                return
            self._end(workflow, "succeeded", film)

    async def _exported(self, workflow: Workflow) -> File:
        """A clip of the words instead of a rendered project."""
        words = " ".join(str(workflow.request.get("script") or "A film without words").split())[:600]
        tool = TOOLS["generate-video-clip"]
        body = {"prompt": words, "spokenDialogue": words, "generateAudio": True, "durationSeconds": 5}
        body["aspectRatio"] = workflow.request.get("aspectRatio") or {"width": 16, "height": 9}
        request = read_fields(tool.fields, body, Settings((), self._settings.data_dir, ""))
        file_id = new_id("vg_file_")
        order = {
            "tool": tool.slug,
            "maker": tool.maker,
            "request": request,
            "index": 0,
            "folder": str(self._settings.data_dir / "media" / file_id),
            "inputs": {},
        }
        made = await self._pool.run(order)
        return File(
            id=file_id,
            owner=workflow.owner,
            type=made["type"],
            scope="EXPORT",
            display_name=made["display_name"],
            duration=made["duration"],
            transcript=made["transcript"],
            language=made["language"],
            renditions=renditions_of(made),
        )

    def _end(self, workflow: Workflow, status: str, film: File | None = None) -> None:
        """Record, film and event go together."""
        self._live.pop(workflow.id, None)
        workflow.status = status
        workflow.ended_at = time.time()
        if status == "succeeded":
            workflow.progress = 100.0
        with self._store.transaction():
            if film is not None:
                film.hydrated_until = signed_from_now(self._settings, self._faults)
                workflow.export, workflow.export_file = new_id("vg_expo_"), film.id
                self._store.save(film)
            self._store.save(workflow)
            self._webhooks.publish(self._shapes.workflow_event(workflow, film))
