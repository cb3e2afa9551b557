"""Imports from a URL: downloads the bytes to disk, then processes them like an upload."""

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

FETCH_TIMEOUT = 600.0
_CHUNK_BYTES = 1024 * 1024
Json = dict[str, Any]


class _FetchFailed(Exception):
    """The download failed. The message is for the user."""


class Imports:
    def __init__(self, settings: Settings, store: Store, uploads: Uploads) -> None:
        self._settings = settings
        self._store = store
        self._uploads = uploads
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start interrupted downloads again."""
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
        """The import as JSON. It succeeds or fails together with its file."""
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
            # The bytes are already on disk; Uploads processes them.
            return
        item.status = "running"
        self._store.save(item)
        draft = self._settings.media_dir / f"{item.id}-{secrets.token_hex(4)}.part"
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                await self._fetch(item.request["url"], draft)
        except (_FetchFailed, TimeoutError, OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            await asyncio.to_thread(draft.unlink, missing_ok=True)
            message = str(error) if isinstance(error, _FetchFailed) else "The address could not be fetched."
            item.status, item.error = "failed", {"message": message}
            self._store.save(item)
            return
        values = item.request
        name = values.get("displayName") or httpx.URL(values["url"]).path.rsplit("/", 1)[-1] or "import"
        file, _ = self._uploads.reserve(item.owner, {**values, "displayName": name})
        with self._store.transaction():
            item.file = file.id
            self._store.save(item)
            self._uploads.process_local(file, draft)

    async def _fetch(self, url: str, draft: Path) -> None:
        await asyncio.to_thread(draft.parent.mkdir, parents=True, exist_ok=True)
        received = 0
        http = httpx.AsyncClient(timeout=30.0, follow_redirects=True, trust_env=False)
        async with http as client, client.stream("GET", url) as response:
            if response.status_code != 200:
                raise _FetchFailed(f"The address responded with {response.status_code}.")
            file = await asyncio.to_thread(draft.open, "wb")
            try:
                async for chunk in response.aiter_bytes(_CHUNK_BYTES):
                    received += len(chunk)
                    if received > self._settings.max_upload_bytes:
                        raise _FetchFailed(
                            f"The file is larger than {self._settings.max_upload_bytes} bytes."
                        )
                    await asyncio.to_thread(file.write, chunk)
            finally:
                file.close()
        if not received:
            raise _FetchFailed("The address returned an empty file.")
