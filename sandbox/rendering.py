"""Renders the results of an execution: tasks for the makers, and file records of their output."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.ids import new_id
from sandbox.pool import Pool, TaskRejected
from sandbox.records import RENDITIONS, Execution, File, Rendition
from sandbox.serializer import Serializer
from sandbox.store import Store
from sandbox.tools import Tool
from sandbox.webhooks import Webhooks

Json = dict[str, Any]


def to_renditions(media: Json) -> dict[str, Rendition | None]:
    """The renditions in the result of a worker. Missing ones are ``skipped``; images have no stream."""
    renditions: dict[str, Rendition | None] = {}
    for name in RENDITIONS:
        values = media[name]
        renditions[name] = Rendition("skipped") if values is None else Rendition(status="ready", **values)
    if media["type"] == "IMAGE":
        renditions["hls"] = None
    return renditions


def publish_ready(webhooks: Webhooks, serializer: Serializer, file: File, expires_at: float) -> None:
    """Publish that a file can be downloaded and, if it has a stream, played (docs/api-notes.md#webhook-events)."""
    webhooks.publish(serializer.file_event("file.download_ready", file, expires_at))
    hls = file.rendition("hls")
    if hls is not None and hls.status == "ready":
        webhooks.publish(serializer.file_event("file.playback_ready", file, expires_at))


class Renderer:
    """Renders the results of an execution in the pool, one after the other."""

    def __init__(self, store: Store, pool: Pool, media: Path) -> None:
        self._store = store
        self._pool = pool
        self._media = media

    async def render_results(
        self, execution: Execution, tool: Tool, report: Callable[[float], None]
    ) -> list[File]:
        """Render all results and return unsaved file records. Removes all media if it fails or is cancelled.

        ``report`` is called with the completed share, 0 to 1.
        """
        count = execution.request["numResults"]
        files: list[File] = []
        folders: list[Path] = []
        try:
            for index in range(count):
                file_id = new_id("vg_file_")
                folders.append(self._media / file_id)

                def share(part: float, done: int = index) -> None:
                    report((done + part) / count)

                task = self._task(execution, tool, index, folders[-1])
                files.append(_file(execution, file_id, await self._pool.run(task, share)))
                report((index + 1) / count)
        except BaseException:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return files

    def _task(self, execution: Execution, tool: Tool, index: int, folder: Path) -> Json:
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
            raise TaskRejected("An input file no longer exists.", None)
        return {
            "file_id": file_id,
            "type": file.type,
            "path": str(self._media / file_id / download.name),
            "display_name": file.display_name,
            "transcript": file.transcript,
        }


def _file(execution: Execution, file_id: str, media: Json) -> File:
    return File(
        id=file_id,
        owner=execution.owner,
        type=media["type"],
        scope="TEMPORARY" if execution.request["isOutputTemporary"] else "GLOBAL",
        display_name=media["display_name"],
        duration=media["duration"],
        transcript=media["transcript"],
        language=media["language"],
        pending_description=media["description"],
        renditions=to_renditions(media),
        source_tool=execution.tool_type,
        source_execution=execution.id,
    )
