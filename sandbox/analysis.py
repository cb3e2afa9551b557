"""Analysis of files: some time after a file is ready it gets the description that search looks at."""

from __future__ import annotations

import asyncio
import random
import time

from sandbox.faults import Faults
from sandbox.records import File
from sandbox.settings import Settings
from sandbox.shapes import Shapes
from sandbox.store import Store
from sandbox.webhooks import Webhooks

SECONDS = (1.0, 2.0)
"""How long an analysis takes at speed 1."""


def signed_from_now(settings: Settings, faults: Faults) -> float:
    """The expiry of a URL that is signed now, in Unix seconds."""
    lifetime = settings.url_lifetime if faults.url_lifetime is None else faults.url_lifetime
    return time.time() + lifetime


class Analyst:
    """Describes files one by one; TEMPORARY ones never (docs/api-notes.md#temporary-files)."""

    def __init__(
        self, store: Store, webhooks: Webhooks, shapes: Shapes, settings: Settings, faults: Faults
    ) -> None:
        self._store = store
        self._webhooks = webhooks
        self._shapes = shapes
        self._settings = settings
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Take up the analyses that a restart interrupted, as new attempts."""
        for file in self._store.in_state(File, "LOADING"):
            file.analysis_attempt += 1
            self._store.save(file)
            self._spawn(file.id)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def begin(self, file: File) -> None:
        """Note on the record that its analysis is under way, and start it. Saves the file."""
        if file.scope != "TEMPORARY":
            file.analysis = "LOADING"
            self._spawn(file.id)
        self._store.save(file)

    def _spawn(self, file_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._analyse(file_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _analyse(self, file_id: str) -> None:
        file = self._store.get(File, file_id)
        struck = self._faults.for_analysis(file.display_name) if file is not None else []
        told = struck[-1].options if struck else {"seconds": None, "fail": None}
        seconds = told["seconds"]
        pause = random.uniform(*SECONDS) / self._settings.speed if seconds is None else seconds
        await asyncio.sleep(pause)
        file = self._store.get(File, file_id)
        if file is None or file.analysis != "LOADING":
            return
        fulfilled = bool(file.findings) and told["fail"] is None
        file.analysis = "FULFILLED" if fulfilled else "REJECTED"
        if fulfilled:
            file.description = file.findings
            file.transcript = file.transcript or file.heard
        file.updated_at = time.time()
        signed = signed_from_now(self._settings, self._faults)
        with self._store.transaction():
            self._store.save(file)
            if file.analysis == "FULFILLED":
                self._webhooks.publish(self._shapes.file_event("file.analysis_completed", file, signed))
            else:
                error = {"message": told["fail"] or "Nothing could be recognised in this file.", "code": None}
                self._webhooks.publish(self._shapes.file_event("file.analysis_failed", file, signed, error))
