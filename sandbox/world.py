"""The parts of a running sandbox, put together once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request

from sandbox.analysis import Analyst, signed_from_now
from sandbox.engine import Engine
from sandbox.errors import ApiError, invalid_parameters
from sandbox.faults import Faults
from sandbox.gallery import Gallery
from sandbox.imports import Imports
from sandbox.limits import Limits
from sandbox.pool import Pool
from sandbox.records import Execution, File
from sandbox.settings import Settings
from sandbox.shapes import Shapes
from sandbox.signing import Signer
from sandbox.store import Store
from sandbox.uploads import Uploads
from sandbox.webhooks import Webhooks
from sandbox.workflows import Workflows
from sandbox.workshop import Workshop

LARGEST_BODY = 2 * 1024 * 1024


@dataclass
class World:
    settings: Settings
    store: Store
    signer: Signer
    shapes: Shapes
    limits: Limits
    faults: Faults
    pool: Pool
    webhooks: Webhooks
    analyst: Analyst
    engine: Engine
    uploads: Uploads
    gallery: Gallery
    workflows: Workflows
    imports: Imports

    @classmethod
    def build(cls, settings: Settings) -> World:
        store = Store(settings.data_dir)
        signer = Signer(settings.base_url, store.secret("urls"))
        shapes = Shapes(settings, signer)
        faults = Faults()
        pool = Pool()
        webhooks = Webhooks(store, faults, settings)
        analyst = Analyst(store, webhooks, shapes, settings, faults)
        workshop = Workshop(store, pool, settings.data_dir / "media")
        engine = Engine(settings, store, workshop, faults, shapes, webhooks, analyst)
        uploads = Uploads(settings, store, signer, pool, faults, shapes, webhooks, analyst)
        return cls(
            settings,
            store,
            signer,
            shapes,
            Limits(),
            faults,
            pool,
            webhooks,
            analyst,
            engine,
            uploads,
            Gallery(pool, settings.data_dir / "gallery"),
            Workflows(settings, store, pool, faults, shapes, webhooks),
            Imports(settings, store, uploads),
        )

    @property
    def media(self) -> Path:
        return self.settings.data_dir / "media"

    def start(self) -> None:
        """Take up what the last run left; call from inside the event loop."""
        self.webhooks.start()
        self.analyst.start()
        self.uploads.start()
        self.imports.start()
        self.workflows.start()
        self.engine.start()

    async def close(self) -> None:
        self.engine.close()
        self.workflows.close()
        self.imports.close()
        self.uploads.close()
        self.analyst.close()
        await self.pool.close()
        await self.webhooks.close()
        self.store.close()

    def signed_from_now(self) -> float:
        return signed_from_now(self.settings, self.faults)

    def files_of(self, execution: Execution) -> list[File | None]:
        return [self.store.get(File, result["fileId"]) for result in execution.results]

    def age_of(self, path: str) -> float | None:
        """Seconds since the execution or file that a path names was made; None if it names none."""
        for segment in path.split("/"):
            for kind in (Execution, File):
                if segment.startswith("vg_") and (record := self.store.get(kind, segment)):
                    return time.time() - record.created_at
        return None


def world_of(request: Request) -> World:
    world = request.app.state.world
    assert isinstance(world, World), "the application was built with a world"
    return world


def key_of(request: Request) -> str:
    """The API key of the caller, as the gate has checked it."""
    key = request.scope["state"]["key"]
    assert isinstance(key, str), "the gate lets no call pass without a key"
    return key


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body; 400 for anything else, 413 for more than two megabytes."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > LARGEST_BODY:
            raise ApiError(413, {"message": "The body is larger than 2 MiB.", "code": "invalid_parameters"})
    try:
        data = json.loads(chunks)
    except (ValueError, RecursionError):
        raise invalid_parameters("the body must be a JSON object") from None
    if not isinstance(data, dict):
        raise invalid_parameters("the body must be a JSON object")
    return data
