"""Pictures and clips of the presenters: made when first asked for, kept in the data folder."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from sandbox.pool import Pool

NAMES = ("still.jpg", "thumb.jpg", "preview.mp4")


class Gallery:
    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool = pool
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, tail: str, name: str) -> Path:
        """The file of that name (one of ``NAMES``) of the presenter with that tail."""
        wanted = self._folder / tail / name
        async with self._locks.setdefault(tail, asyncio.Lock()):
            if not await asyncio.to_thread(wanted.is_file):
                await self._make(tail)
        return wanted

    async def _make(self, tail: str) -> None:
        """In a folder beside it first, so that a crash leaves nothing half made."""
        draft = self._folder / f"{tail}.draft"
        order = {
            "tool": "introduction",
            "maker": "introduction",
            "request": {"presenter": tail},
            "index": 0,
            "folder": str(draft),
            "inputs": {},
        }
        await self._pool.run(order)
        await asyncio.to_thread(shutil.rmtree, self._folder / tail, ignore_errors=True)
        await asyncio.to_thread(draft.replace, self._folder / tail)
