"""Uploads: a place is reserved, the bytes come once, a worker examines them, and the file is ready or has failed."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sandbox.analysis import Analyst, signed_from_now
from sandbox.errors import ApiError, storage_refusal
from sandbox.faults import Faults
from sandbox.ids import new_id
from sandbox.pool import Pool, Refused, WorkerBroken, WorkerDied
from sandbox.records import INCOMING, RENDITIONS, File, Rendition
from sandbox.settings import Settings
from sandbox.shapes import Shapes
from sandbox.signing import Signer
from sandbox.store import Store
from sandbox.webhooks import Webhooks
from sandbox.workshop import announce_ready, renditions_of

log = logging.getLogger("sandbox")
Json = dict[str, Any]

SECONDS = (0.6, 1.5)
"""How long processing takes at least, at speed 1."""
MOST_ATTEMPTS = 3
AT_ONCE = 2
_WRITTEN_AT_ONCE = 1024 * 1024
_TYPES_SINCE = {"IMAGE": "0.0", "VIDEO": "0.0", "AUDIO": "0.0", "PDF": "1.0", "SLIDESHOW": "1.0",
                "TEXT": "2", "LOTTIE": "2"}  # fmt: skip


def known_types(settings: Settings) -> list[str]:
    """The file types of the era that is spoken (docs/api-notes.md#api-versions)."""
    return [name for name, since in _TYPES_SINCE.items() if settings.knows(since)]


class Uploads:
    """Owns the files whose bytes are on their way or being examined."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        signer: Signer,
        pool: Pool,
        faults: Faults,
        shapes: Shapes,
        webhooks: Webhooks,
        analyst: Analyst,
    ) -> None:
        self._settings = settings
        self._store = store
        self._signer = signer
        self._pool = pool
        self._faults = faults
        self._shapes = shapes
        self._webhooks = webhooks
        self._analyst = analyst
        self._receiving: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        """Examine what had arrived before a restart."""
        for file in self._store.in_state(File, "RECEIVED"):
            self._spawn(file.id)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def reserve(self, owner: str, values: Json) -> tuple[File, str]:
        """A file that waits for its bytes, and the URL for one PUT (docs/api-notes.md#uploads)."""
        words = values.get("transcript") or {}
        file = File(
            id=new_id("vg_file_"),
            owner=owner,
            type=values.get("type"),
            scope="TEMPORARY" if values["isTemporary"] else "GLOBAL",
            display_name=values["displayName"],
            transcript=" ".join(word["word"] for word in words.get("words", [])) or None,
            language=words.get("languageCode"),
            renditions={name: Rendition("pending") for name in RENDITIONS},
            upload="waiting",
        )
        self._store.save(file)
        told = self._faults.upload_lifetime
        lifetime = self._settings.upload_lifetime if told is None else told
        return file, self._signer.upload_url(file.id, time.time() + lifetime)

    async def receive(self, file_id: str, kind: str, length: int | None, chunks: AsyncIterator[bytes]) -> int:
        """Write the bytes to disk as they come, and begin processing; how many there were.

        Raises ApiError when they are refused, and whatever ``chunks`` raises when they stop half way: then nothing
        is kept, and the URL may be used again.
        """
        file = self._store.get(File, file_id)
        if file is None or file.upload != "waiting" or file_id in self._receiving:
            raise storage_refusal(403, "This upload address has been used already.")
        _check_kind(kind, file.type)
        if length is not None and length > self._settings.largest_upload:
            raise self._too_large()
        self._receiving.add(file_id)
        folder = self._settings.data_dir / "media" / file_id
        try:
            received = await self._written(chunks, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self._receiving.discard(file_id)
        file.upload = "received"
        file.updated_at = time.time()
        self._store.save(file)
        self._spawn(file_id)
        return received

    def take(self, file: File, path: Path) -> None:
        """Begin processing a file whose bytes lie elsewhere on this disk; they are moved."""
        folder = self._settings.data_dir / "media" / file.id
        folder.mkdir(parents=True, exist_ok=True)
        path.replace(folder / INCOMING)
        file.upload = "received"
        self._store.save(file)
        self._spawn(file.id)

    async def _written(self, chunks: AsyncIterator[bytes], folder: Path) -> int:
        """The bytes under their final name, all or nothing; never more than a megabyte of them in memory."""
        received, buffer = 0, bytearray()
        try:
            with _part(folder).open("wb") as file:
                async for chunk in chunks:
                    buffer += chunk
                    received += len(chunk)
                    if received > self._settings.largest_upload:
                        raise self._too_large()
                    if len(buffer) >= _WRITTEN_AT_ONCE:
                        await asyncio.to_thread(file.write, bytes(buffer))
                        buffer.clear()
                file.write(buffer)
        except OSError as problem:
            raise storage_refusal(507, f"The upload cannot be kept: {problem.strerror}.") from problem
        if not received:
            raise storage_refusal(400, "The upload has no bytes.")
        _part(folder).replace(folder / INCOMING)
        return received

    def _too_large(self) -> ApiError:
        return storage_refusal(413, f"An upload has at most {self._settings.largest_upload} bytes.")

    def _spawn(self, file_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._process(file_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, file_id: str) -> None:
        file = self._store.get(File, file_id)
        if file is None:
            return
        told: Json = {}
        for fault in self._faults.for_upload(file.display_name):
            told |= fault.options
        seconds = told.get("seconds")
        pause = random.uniform(*SECONDS) / self._settings.speed if seconds is None else seconds
        try:
            made, _ = await asyncio.gather(self._examined(file), asyncio.sleep(pause))
            if told.get("fail") is not None:
                raise Refused(told["fail"] or "The sandbox was asked to let this upload fail.", None)
        except Refused as refused:
            self._fail(file_id, {"message": refused.message, "code": refused.code})
        except (WorkerDied, WorkerBroken) as broken:
            log.error("%s: %s", file_id, broken)
            self._fail(
                file_id, {"message": "Something went wrong on our side.", "internalErrorCode": "SBX-2001"}
            )
        else:
            self._complete(file_id, made)

    async def _examined(self, file: File) -> Json:
        folder = self._settings.data_dir / "media" / file.id
        request = {"displayName": file.display_name, "type": file.type, "types": known_types(self._settings)}
        order = {
            "tool": "upload",
            "maker": "upload",
            "request": request,
            "index": 0,
            "folder": str(folder),
            "inputs": {},
        }
        async with self._turns:
            for _ in range(MOST_ATTEMPTS - 1):
                try:
                    return await self._pool.run(order)
                except WorkerDied as died:
                    log.warning("%s", died)
            return await self._pool.run(order)

    def _complete(self, file_id: str, made: Json) -> None:
        """Ready: record and events go together. Upload events are for uploads only (docs/api-notes.md#webhook-events)."""
        file = self._store.get(File, file_id)
        if file is None:
            return
        (self._settings.data_dir / "media" / file_id / INCOMING).unlink(missing_ok=True)
        file.type = made["type"]
        file.duration = made["duration"]
        file.findings = made["description"]
        file.heard = made["transcript"]
        file.renditions = renditions_of(made)
        file.upload = "completed"
        file.hydrated_until = None
        file.updated_at = time.time()
        signed = signed_from_now(self._settings, self._faults)
        with self._store.transaction():
            self._analyst.begin(file)
            self._webhooks.publish(self._shapes.file_event("file.upload.completed", file, signed))
            announce_ready(self._webhooks, self._shapes, file, signed)

    def _fail(self, file_id: str, error: Json) -> None:
        file = self._store.get(File, file_id)
        if file is None:
            return
        shutil.rmtree(self._settings.data_dir / "media" / file_id, ignore_errors=True)
        file.renditions = {name: Rendition("failed") for name in RENDITIONS}
        file.upload = "failed"
        file.updated_at = time.time()
        signed = signed_from_now(self._settings, self._faults)
        with self._store.transaction():
            self._store.save(file)
            self._webhooks.publish(self._shapes.file_event("file.upload.failed", file, signed, error))


def _part(folder: Path) -> Path:
    """Where bytes lie while they are still coming."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{INCOMING}.part"


def _check_kind(kind: str, declared: str | None) -> None:
    """A Content-Type is not needed (docs/api-notes.md#uploads), but one that cannot be true is refused."""
    main = kind.partition(";")[0].strip().lower()
    if main in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise storage_refusal(415, "Send the bytes of the file itself, not a form.")
    family = main.partition("/")[0].upper()
    if declared is not None and family in ("IMAGE", "VIDEO", "AUDIO", "TEXT") and family != declared:
        # Ogg and MP4 sound is often sent as video, and drawings are text in disguise.
        if {family, declared} <= {"VIDEO", "AUDIO"} or {family, declared} == {"TEXT", "LOTTIE"}:
            return
        raise storage_refusal(415, f"The Content-Type is {main}, but the file was announced as {declared}.")
