"""A worker process: reads one task per line, runs its maker, writes progress and the result as lines of JSON.

It exits when its standard input closes, so it never outlives the server. The server kills it to cancel a task.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from sandbox.makers.base import Input, MakerError, Media, Task
from sandbox.media_cache import cached


def main() -> None:
    # Ctrl+C in a terminal signals the whole process group; the server stops its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = _reserve_stdout()
    for line in sys.stdin:
        request = json.loads(line)
        _write(out, _run(request, out))


def _reserve_stdout() -> TextIO:
    """Reserve the pipe for replies. Redirects what libraries print to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _run(request: dict[str, Any], out: TextIO) -> dict[str, Any]:
    folder = Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {
        key: Input(**{**value, "path": Path(value["path"])}) for key, value in request["inputs"].items()
    }
    task = Task(
        tool=request["tool"],
        request=request["request"],
        index=request["index"],
        folder=folder,
        inputs=inputs,
        report=lambda share: _write(out, {"progress": share}),
    )
    try:
        return {"media": cached(request, lambda: _make(request["maker"], task))}
    except MakerError as error:
        return {"rejected": {"message": error.message, "code": error.code}}
    except Exception:
        return {"error": traceback.format_exc()}


def _make(name: str, task: Task) -> dict[str, Any]:
    # Load the libraries of makers only for tasks that are not in the cache.
    maker = importlib.import_module(f"sandbox.makers.{name}")
    return to_json(maker.make(task), task.folder)


def to_json(media: Media, folder: Path) -> dict[str, Any]:
    """The media as JSON, with the size of each rendition in bytes."""
    data = dataclasses.asdict(media)
    for name in ("download", "preview", "thumbnail", "hls"):
        if data[name] is not None:
            data[name]["bytes"] = (folder / data[name]["name"]).stat().st_size
    return data


def _write(out: TextIO, message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
