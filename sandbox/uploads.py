"""Uploads: create a file record and a URL, receive the bytes, process them in a worker."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sandbox.analysis import Analyzer, url_expiry
from sandbox.errors import ApiError, storage_error
from sandbox.faults import Faults, given_options
from sandbox.ids import new_id
from sandbox.pool import Pool, TaskRejected, WorkerDied, WorkerError
from sandbox.records import INCOMING, RENDITIONS, File, Rendition
from sandbox.rendering import publish_ready, to_renditions
from sandbox.serializer import Serializer
from sandbox.settings import Settings
from sandbox.signing import Signer
from sandbox.store import Store
from sandbox.webhooks import Webhooks

log = logging.getLogger("sandbox")
Json = dict[str, Any]

DURATION = (0.6, 1.5)
"""Minimum and maximum duration of processing at speed 1, in seconds."""
MAX_ATTEMPTS = 3
MAX_CONCURRENT = 2
_WRITE_BYTES = 1024 * 1024
_TYPES_SINCE = {"IMAGE": "0.0", "VIDEO": "0.0", "AUDIO": "0.0", "PDF": "1.0", "SLIDESHOW": "1.0",
                "TEXT": "2", "LOTTIE": "2"}  # fmt: skip


def supported_types(settings: Settings) -> list[str]:
    """The file types of the API version (docs/api-notes.md#api-versions)."""
    return [name for name, since in _TYPES_SINCE.items() if settings.at_least(since)]


class Uploads:
    """Owns the files that are being received or processed."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        signer: Signer,
        pool: Pool,
        faults: Faults,
        serializer: Serializer,
        webhooks: Webhooks,
        analyzer: Analyzer,
    ) -> None:
        self._settings = settings
        self._store = store
        self._signer = signer
        self._pool = pool
        self._faults = faults
        self._serializer = serializer
        self._webhooks = webhooks
        self._analyzer = analyzer
        self._receiving: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT)

    def start(self) -> None:
        """Process uploads that were received before a restart."""
        for file in self._store.in_state(File, "RECEIVED"):
            self._spawn(file.id)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def reserve(self, owner: str, values: Json) -> tuple[File, str]:
        """Create a file record that waits for its bytes, and the URL for one PUT (docs/api-notes.md#uploads)."""
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
        override = self._faults.upload_lifetime
        lifetime = self._settings.upload_lifetime if override is None else override
        return file, self._signer.upload_url(file.id, time.time() + lifetime)

    async def receive(
        self, file_id: str, content_type: str, length: int | None, chunks: AsyncIterator[bytes]
    ) -> int:
        """Write the bytes to disk as they arrive, and start processing. Returns the number of bytes.

        Raises ApiError if the upload is rejected, and any error of ``chunks`` if it is incomplete. Then nothing is
        stored, and the URL stays valid.
        """
        file = self._store.get(File, file_id)
        if file is None or file.upload != "waiting" or file_id in self._receiving:
            raise storage_error(403, "This upload URL has already been used.")
        _check_content_type(content_type, file.type)
        if length is not None and length > self._settings.max_upload_bytes:
            raise self._too_large()
        self._receiving.add(file_id)
        folder = self._settings.media_dir / file_id
        try:
            received = await self._write(chunks, folder)
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

    def process_local(self, file: File, path: Path) -> None:
        """Start processing a file that is already on this disk. Moves it to the media folder."""
        folder = self._settings.media_dir / file.id
        folder.mkdir(parents=True, exist_ok=True)
        path.replace(folder / INCOMING)
        file.upload = "received"
        self._store.save(file)
        self._spawn(file.id)

    async def _write(self, chunks: AsyncIterator[bytes], folder: Path) -> int:
        """Write the bytes to their final path, all or nothing. Keeps at most about 1 MiB in memory."""
        received, buffer = 0, bytearray()
        try:
            with _part(folder).open("wb") as file:
                async for chunk in chunks:
                    buffer += chunk
                    received += len(chunk)
                    if received > self._settings.max_upload_bytes:
                        raise self._too_large()
                    if len(buffer) >= _WRITE_BYTES:
                        await asyncio.to_thread(file.write, bytes(buffer))
                        buffer.clear()
                file.write(buffer)
        except OSError as error:
            raise storage_error(507, f"The upload cannot be stored: {error.strerror}.") from error
        if not received:
            raise storage_error(400, "The upload is empty.")
        _part(folder).replace(folder / INCOMING)
        return received

    def _too_large(self) -> ApiError:
        return storage_error(413, f"The upload is larger than {self._settings.max_upload_bytes} bytes.")

    def _spawn(self, file_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._process(file_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, file_id: str) -> None:
        file = self._store.get(File, file_id)
        if file is None:
            return
        options = given_options(self._faults.for_upload(file.display_name))
        seconds = options.get("seconds")
        pause = random.uniform(*DURATION) / self._settings.speed if seconds is None else seconds
        try:
            media, _ = await asyncio.gather(self._examine(file), asyncio.sleep(pause))
            if options.get("fail") is not None:
                raise TaskRejected(options["fail"] or "The sandbox was asked to fail this upload.", None)
        except TaskRejected as error:
            self._fail(file_id, {"message": error.message, "code": error.code})
        except (WorkerDied, WorkerError) as error:
            log.error("%s: %s", file_id, error)
            self._fail(
                file_id, {"message": "Something went wrong on our side.", "internalErrorCode": "SBX-2001"}
            )
        else:
            self._complete(file_id, media)

    async def _examine(self, file: File) -> Json:
        folder = self._settings.media_dir / file.id
        request = {
            "displayName": file.display_name,
            "type": file.type,
            "types": supported_types(self._settings),
        }
        task = {
            "tool": "upload",
            "maker": "upload",
            "request": request,
            "index": 0,
            "folder": str(folder),
            "inputs": {},
        }
        async with self._semaphore:
            for _ in range(MAX_ATTEMPTS - 1):
                try:
                    return await self._pool.run(task)
                except WorkerDied as error:
                    log.warning("%s", error)
            return await self._pool.run(task)

    def _complete(self, file_id: str, media: Json) -> None:
        """Make the file ready. Saves record and events together; only uploads have ``file.upload`` events
        (docs/api-notes.md#webhook-events).
        """
        file = self._store.get(File, file_id)
        if file is None:
            return
        (self._settings.media_dir / file_id / INCOMING).unlink(missing_ok=True)
        file.type = media["type"]
        file.duration = media["duration"]
        file.pending_description = media["description"]
        file.pending_transcript = media["transcript"]
        file.renditions = to_renditions(media)
        file.upload = "completed"
        file.hydrated_until = None
        file.updated_at = time.time()
        expires_at = url_expiry(self._settings, self._faults)
        with self._store.transaction():
            self._analyzer.begin(file)
            self._webhooks.publish(self._serializer.file_event("file.upload.completed", file, expires_at))
            publish_ready(self._webhooks, self._serializer, file, expires_at)

    def _fail(self, file_id: str, error: Json) -> None:
        file = self._store.get(File, file_id)
        if file is None:
            return
        shutil.rmtree(self._settings.media_dir / file_id, ignore_errors=True)
        file.renditions = {name: Rendition("failed") for name in RENDITIONS}
        file.upload = "failed"
        file.updated_at = time.time()
        expires_at = url_expiry(self._settings, self._faults)
        with self._store.transaction():
            self._store.save(file)
            self._webhooks.publish(self._serializer.file_event("file.upload.failed", file, expires_at, error))


def _part(folder: Path) -> Path:
    """Path of the bytes while they are being received."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{INCOMING}.part"


def _check_content_type(content_type: str, declared: str | None) -> None:
    """A Content-Type is optional (docs/api-notes.md#uploads), but one that contradicts the declared type is rejected."""
    main = content_type.partition(";")[0].strip().lower()
    if main in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise storage_error(415, "Send the bytes of the file itself, not a form.")
    family = main.partition("/")[0].upper()
    if declared is not None and family in ("IMAGE", "VIDEO", "AUDIO", "TEXT") and family != declared:
        # Ogg and MP4 audio is often sent as video, and Lottie animations are text.
        if {family, declared} <= {"VIDEO", "AUDIO"} or {family, declared} == {"TEXT", "LOTTIE"}:
            return
        raise storage_error(
            415, f"The Content-Type is {main}, but the declared type of the file is {declared}."
        )
