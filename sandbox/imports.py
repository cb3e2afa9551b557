"""Imports from a URL: the bytes are fetched to disk, then go the way of an upload."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import httpx

from sandbox.ids import new_id
from sandbox.records import File, Import
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.uploads import Uploads

LONGEST_SECONDS = 600.0
_PIECE = 1024 * 1024
Json = dict[str, Any]


class _Failed(Exception):
    """The bytes cannot be had; the message is for the user."""


class Imports:
    def __init__(self, settings: Settings, store: Store, uploads: Uploads) -> None:
        self._settings = settings
        self._store = store
        self._uploads = uploads
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Fetch again what a restart interrupted."""
        for item in self._store.in_state(Import, "running", "pending"):
            self._spawn(item)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def submit(self, owner: str, values: Json) -> Import:
        item = Import(id=new_id("vg_fimp_"), owner=owner, request=values)
        self._store.save(item)
        self._spawn(item)
        return item

    def as_json(self, item: Import) -> Json:
        """Succeeded or failed as soon as its file is."""
        file = self._store.get(File, item.file) if item.file else None
        status, error = item.status, item.error
        if status == "running" and file is not None and file.upload in ("completed", "failed"):
            status = "succeeded" if file.upload == "completed" else "failed"
            error = {"message": "The bytes are not a supported media format."} if status == "failed" else None
        return {"fileImportId": item.id, "status": status, "fileId": item.file, "error": error}

    def _spawn(self, item: Import) -> None:
        task = asyncio.get_running_loop().create_task(self._run(item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, item: Import) -> None:
        if item.file is not None:
            # The bytes are here already; the upload goes on by itself.
            return
        item.status = "running"
        self._store.save(item)
        draft = self._settings.data_dir / "media" / f"{item.id}-{secrets.token_hex(4)}.part"
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._fetch(item.request["url"], draft)
        except (_Failed, TimeoutError, OSError, httpx.HTTPError, httpx.InvalidURL) as problem:
            await asyncio.to_thread(draft.unlink, missing_ok=True)
            said = str(problem) if isinstance(problem, _Failed) else "The address could not be fetched."
            item.status, item.error = "failed", {"message": said}
            self._store.save(item)
            return
        values = item.request
        name = values.get("displayName") or httpx.URL(values["url"]).path.rsplit("/", 1)[-1] or "import"
        file, _ = self._uploads.reserve(item.owner, {**values, "displayName": name})
        with self._store.transaction():
            item.file = file.id
            self._store.save(item)
            self._uploads.take(file, draft)

    async def _fetch(self, url: str, draft: Path) -> None:
        await asyncio.to_thread(draft.parent.mkdir, parents=True, exist_ok=True)
        received = 0
        visitor = httpx.AsyncClient(timeout=30.0, follow_redirects=True, trust_env=False)
        async with visitor as client, client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise _Failed(f"The address answered {answer.status_code}.")
            file = await asyncio.to_thread(draft.open, "wb")
            try:
                async for piece in answer.aiter_bytes(_PIECE):
                    received += len(piece)
                    if received > self._settings.largest_upload:
                        raise _Failed(f"A file has at most {self._settings.largest_upload} bytes.")
                    await asyncio.to_thread(file.write, piece)
            finally:
                file.close()
        if not received:
            raise _Failed("The address answered without bytes.")
