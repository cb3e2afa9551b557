"""A worker process: reads one order per line, runs its maker, writes progress and the outcome as lines of JSON.

It ends when its standard input closes, so it never outlives the server, and is simply killed to stop its work.
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

from sandbox.makers.base import CannotMake, Input, Made, Order
from sandbox.media_cache import remembered


def main() -> None:
    # Ctrl+C in a terminal reaches the whole group; the server decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = _own_stdout()
    for line in sys.stdin:
        job = json.loads(line)
        _say(out, _outcome(job, out))


def _own_stdout() -> TextIO:
    """Keep the pipe for answers, and send what libraries print to standard error instead."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _outcome(job: dict[str, Any], out: TextIO) -> dict[str, Any]:
    folder = Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {key: Input(**{**value, "path": Path(value["path"])}) for key, value in job["inputs"].items()}
    order = Order(
        tool=job["tool"],
        request=job["request"],
        index=job["index"],
        folder=folder,
        inputs=inputs,
        report=lambda share: _say(out, {"share": share}),
    )
    try:
        return {"made": remembered(job, lambda: _made(job["maker"], order))}
    except CannotMake as refusal:
        return {"refused": {"message": refusal.message, "code": refusal.code}}
    except Exception:
        return {"broken": traceback.format_exc()}


def _made(name: str, order: Order) -> dict[str, Any]:
    # The libraries that makers need are loaded by the first order that is not in the cache.
    maker = importlib.import_module(f"sandbox.makers.{name}")
    return describe(maker.make(order), order.folder)


def describe(made: Made, folder: Path) -> dict[str, Any]:
    """The result as JSON, with the size of each rendition in bytes."""
    data = dataclasses.asdict(made)
    for name in ("download", "preview", "thumbnail", "hls"):
        if data[name] is not None:
            data[name]["bytes"] = (folder / data[name]["name"]).stat().st_size
    return data


def _say(out: TextIO, message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
