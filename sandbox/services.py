"""The services of a running sandbox, built once, and helpers for request handlers."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from sandbox import ids
from sandbox.analysis import Analyzer, url_expiry
from sandbox.engine import Engine
from sandbox.errors import ApiError, invalid_parameters, not_found
from sandbox.faults import Faults
from sandbox.imports import Imports
from sandbox.limits import Limits
from sandbox.pool import Pool
from sandbox.presenter_media import PresenterMedia
from sandbox.records import Execution, File
from sandbox.rendering import Renderer
from sandbox.serializer import Serializer
from sandbox.settings import Settings
from sandbox.signing import Signer
from sandbox.store import Store
from sandbox.uploads import Uploads
from sandbox.webhooks import Webhooks
from sandbox.workflows import Workflows

MAX_BODY_BYTES = 2 * 1024 * 1024


@dataclass
class Services:
    settings: Settings
    store: Store
    signer: Signer
    serializer: Serializer
    limits: Limits
    faults: Faults
    pool: Pool
    webhooks: Webhooks
    analyzer: Analyzer
    engine: Engine
    uploads: Uploads
    presenter_media: PresenterMedia
    workflows: Workflows
    imports: Imports

    @classmethod
    def build(cls, settings: Settings) -> Services:
        store = Store(settings.data_dir)
        signer = Signer(settings.base_url, store.secret("urls"))
        serializer = Serializer(settings, signer)
        faults = Faults()
        pool = Pool()
        webhooks = Webhooks(store, faults, settings)
        analyzer = Analyzer(store, webhooks, serializer, settings, faults)
        renderer = Renderer(store, pool, settings.media_dir)
        engine = Engine(settings, store, renderer, faults, serializer, webhooks, analyzer)
        uploads = Uploads(settings, store, signer, pool, faults, serializer, webhooks, analyzer)
        return cls(
            settings,
            store,
            signer,
            serializer,
            Limits(),
            faults,
            pool,
            webhooks,
            analyzer,
            engine,
            uploads,
            PresenterMedia(pool, settings.data_dir / "gallery"),
            Workflows(settings, store, pool, faults, serializer, webhooks),
            Imports(settings, store, uploads),
        )

    def start(self) -> None:
        """Resume the work of the previous run. Call inside the event loop."""
        self.webhooks.start()
        self.analyzer.start()
        self.uploads.start()
        self.imports.start()
        self.workflows.start()
        self.engine.start()

    async def close(self) -> None:
        self.engine.close()
        self.workflows.close()
        self.imports.close()
        self.uploads.close()
        self.analyzer.close()
        await self.pool.close()
        await self.webhooks.close()
        self.store.close()

    def url_expiry(self) -> float:
        return url_expiry(self.settings, self.faults)

    def files_of(self, execution: Execution) -> list[File | None]:
        return [self.store.get(File, result["fileId"]) for result in execution.results]

    def age_of(self, path: str) -> float | None:
        """Seconds since the execution or file in the path was created; None without one."""
        for segment in path.split("/"):
            for kind in (Execution, File):
                if segment.startswith("vg_") and (record := self.store.get(kind, segment)):
                    return time.time() - record.created_at
        return None


def services_of(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services), "the application was built with services"
    return services


def key_of(request: Request) -> str:
    """The API key of the client, which the middleware has verified."""
    key = request.scope["state"]["key"]
    assert isinstance(key, str), "the middleware rejects calls without a key"
    return key


def find_file(services: Services, file_id: str) -> File:
    """Find a file; raise a 400 for a malformed id, a 404 for an unknown one."""
    file = services.store.get(File, ids.check_id(file_id, ids.FILE, "file"))
    if file is None:
        raise not_found("File")
    return file


async def read_object(request: Request) -> dict[str, Any]:
    """Read the JSON object in the body; raise a 400 for anything else, a 413 above 2 MiB."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            raise ApiError(413, {"message": "The body is larger than 2 MiB.", "code": "invalid_parameters"})
    try:
        data = json.loads(chunks)
    except (ValueError, RecursionError):
        raise invalid_parameters("the body must be a JSON object") from None
    if not isinstance(data, dict):
        raise invalid_parameters("the body must be a JSON object")
    return data
