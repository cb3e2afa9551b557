"""Images and clips of the presenters, created on first request and stored in the data folder."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from sandbox.pool import Pool

NAMES = ("still.jpg", "thumb.jpg", "preview.mp4")


class PresenterMedia:
    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool = pool
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, suffix: str, name: str) -> Path:
        """Path of a file (one of ``NAMES``) of the presenter with that id suffix. Creates it if needed."""
        path = self._folder / suffix / name
        async with self._locks.setdefault(suffix, asyncio.Lock()):
            if not await asyncio.to_thread(path.is_file):
                await self._make(suffix)
        return path

    async def _make(self, suffix: str) -> None:
        """Write to a draft folder first, so that a crash leaves no incomplete files."""
        draft = self._folder / f"{suffix}.draft"
        task = {
            "tool": "introduction",
            "maker": "introduction",
            "request": {"presenter": suffix},
            "index": 0,
            "folder": str(draft),
            "inputs": {},
        }
        await self._pool.run(task)
        await asyncio.to_thread(shutil.rmtree, self._folder / suffix, ignore_errors=True)
        await asyncio.to_thread(draft.replace, self._folder / suffix)
