"""Analysis of files: adds the searchable description some time after a file is ready."""

from __future__ import annotations

import asyncio
import random
import time

from sandbox.faults import Faults, given_options
from sandbox.records import File
from sandbox.serializer import Serializer
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.webhooks import Webhooks

DURATION = (1.0, 2.0)
"""Minimum and maximum duration of an analysis at speed 1, in seconds."""


def url_expiry(settings: Settings, faults: Faults) -> float:
    """Expiry of a URL signed now, in Unix seconds."""
    lifetime = settings.url_lifetime if faults.url_lifetime is None else faults.url_lifetime
    return time.time() + lifetime


class Analyzer:
    """Describes files, except TEMPORARY ones (docs/api-notes.md#temporary-files)."""

    def __init__(
        self, store: Store, webhooks: Webhooks, serializer: Serializer, settings: Settings, faults: Faults
    ) -> None:
        self._store = store
        self._webhooks = webhooks
        self._serializer = serializer
        self._settings = settings
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Restart interrupted analyses, each as a new attempt."""
        for file in self._store.in_state(File, "LOADING"):
            file.analysis_attempt += 1
            self._store.save(file)
            self._spawn(file.id)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def begin(self, file: File) -> None:
        """Start the analysis of a file, and save the file."""
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
        faults = self._faults.for_analysis(file.display_name) if file is not None else []
        options = given_options(faults)
        seconds = options.get("seconds")
        pause = random.uniform(*DURATION) / self._settings.speed if seconds is None else seconds
        await asyncio.sleep(pause)
        file = self._store.get(File, file_id)
        if file is None or file.analysis != "LOADING":
            return
        succeeded = bool(file.pending_description) and options.get("fail") is None
        file.analysis = "FULFILLED" if succeeded else "REJECTED"
        if succeeded:
            file.description = file.pending_description
            file.transcript = file.transcript or file.pending_transcript
        file.updated_at = time.time()
        expires_at = url_expiry(self._settings, self._faults)
        with self._store.transaction():
            self._store.save(file)
            if file.analysis == "FULFILLED":
                self._webhooks.publish(
                    self._serializer.file_event("file.analysis_completed", file, expires_at)
                )
            else:
                error = {
                    "message": options.get("fail") or "Nothing was recognised in this file.",
                    "code": None,
                }
                self._webhooks.publish(
                    self._serializer.file_event("file.analysis_failed", file, expires_at, error)
                )
