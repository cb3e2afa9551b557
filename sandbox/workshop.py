"""From an accepted request to files: orders for the makers, and records of what they made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.ids import new_id
from sandbox.pool import Pool, Refused
from sandbox.records import RENDITIONS, Execution, File, Rendition
from sandbox.shapes import Shapes
from sandbox.store import Store
from sandbox.tools import Tool
from sandbox.webhooks import Webhooks

Json = dict[str, Any]


def renditions_of(made: Json) -> dict[str, Rendition | None]:
    """What a worker described, as records; forms that were not made are skipped, and images have no stream."""
    found: dict[str, Rendition | None] = {}
    for name in RENDITIONS:
        form = made[name]
        found[name] = Rendition("skipped") if form is None else Rendition(status="ready", **form)
    if made["type"] == "IMAGE":
        found["hls"] = None
    return found


def announce_ready(webhooks: Webhooks, shapes: Shapes, file: File, signed: float) -> None:
    """Tell that a file can be downloaded and, if it is a stream, played (docs/api-notes.md#webhook-events)."""
    webhooks.publish(shapes.file_event("file.download_ready", file, signed))
    hls = file.rendition("hls")
    if hls is not None and hls.status == "ready":
        webhooks.publish(shapes.file_event("file.playback_ready", file, signed))


class Workshop:
    """Lets the pool make all results of an execution, one after the other."""

    def __init__(self, store: Store, pool: Pool, media: Path) -> None:
        self._store = store
        self._pool = pool
        self._media = media

    async def make_all(self, execution: Execution, tool: Tool, report: Callable[[float], None]) -> list[File]:
        """Files that are not saved yet. When it is cancelled or refused, nothing of it stays on disk."""
        count = execution.request["numResults"]
        files: list[File] = []
        folders: list[Path] = []
        try:
            for index in range(count):
                file_id = new_id("vg_file_")
                folders.append(self._media / file_id)

                def share(part: float, done: int = index) -> None:
                    report((done + part) / count)

                order = self._order(execution, tool, index, folders[-1])
                files.append(_file(execution, file_id, await self._pool.run(order, share)))
                report((index + 1) / count)
        except BaseException:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return files

    def _order(self, execution: Execution, tool: Tool, index: int, folder: Path) -> Json:
        return {
            "tool": tool.slug,
            "maker": tool.maker,
            "request": execution.request,
            "index": index,
            "folder": str(folder),
            "inputs": {file_id: self._input(file_id) for file_id in execution.request["_inputs"]},
        }

    def _input(self, file_id: str) -> Json:
        file = self._store.get(File, file_id)
        download = None if file is None else file.rendition("download")
        if file is None or download is None or download.name is None:
            raise Refused("An input file is no longer there.", None)
        return {
            "file_id": file_id,
            "type": file.type,
            "path": str(self._media / file_id / download.name),
            "display_name": file.display_name,
            "transcript": file.transcript,
        }


def _file(execution: Execution, file_id: str, made: Json) -> File:
    return File(
        id=file_id,
        owner=execution.owner,
        type=made["type"],
        scope="TEMPORARY" if execution.request["isOutputTemporary"] else "GLOBAL",
        display_name=made["display_name"],
        duration=made["duration"],
        transcript=made["transcript"],
        language=made["language"],
        findings=made["description"],
        renditions=renditions_of(made),
        source_tool=execution.tool_type,
        source_execution=execution.id,
    )
