"""A cache of the media that makers create, in a folder keyed by a digest of the task.

`SANDBOX_MEDIA_CACHE` names the folder, which any number of sandboxes may share; without it there is no cache. The key
covers the request, the bytes and texts of the inputs, and the source code of the makers. It does not cover ids, since
they differ between sandboxes. When several processes need the same media, one creates it and the others wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sandbox import presenters, voices
from sandbox.records import INCOMING
from sandbox.settings import MAX_SIDE_VARIABLE

Json = dict[str, Any]
CACHE_VARIABLE = "SANDBOX_MEDIA_CACHE"
_METADATA = "media.json"
_HERE = Path(__file__).parent


def cached(task: Json, make: Callable[[], Json]) -> Json:
    """The result of ``make`` for this worker task, from the cache if possible. Copies the media to the task's folder."""
    cache_folder = os.environ.get(CACHE_VARIABLE)
    if not cache_folder:
        return make()
    folder, target = Path(cache_folder), Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    entry = folder / _key(task)
    with _lock(folder, entry.name):
        if not entry.exists():
            media = make()
            _save(media, target, entry)
            return media
    for path in entry.iterdir():
        if path.name != _METADATA:
            _link(path, target / path.name)
    cached_media: Json = json.loads((entry / _METADATA).read_text())
    return cached_media


def _save(media: Json, source: Path, entry: Path) -> None:
    """Save an entry atomically: the folder is renamed once it is complete."""
    part = Path(tempfile.mkdtemp(prefix="part-", dir=entry.parent))
    try:
        for path in source.iterdir():
            if not path.name.startswith(INCOMING):
                _link(path, part / path.name)
        (part / _METADATA).write_text(json.dumps(media))
        part.rename(entry)
    except OSError:
        # For example a full disk. The media are created again next time.
        shutil.rmtree(part, ignore_errors=True)


def _link(path: Path, target: Path) -> None:
    """Hard-link or copy a file. Replaces what an interrupted attempt may have left."""
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:
        # On another file system.
        shutil.copyfile(path, target)


@contextlib.contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    """Allow one process at a time per key. The lock of a killed process is released at once."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _key(task: Json) -> str:
    contents = {file_id: _digest(Path(each["path"])) for file_id, each in task["inputs"].items()}

    def without_ids(value: Any) -> Any:
        match value:
            case dict():
                return {name: without_ids(each) for name, each in value.items()}
            case list():
                return [without_ids(each) for each in value]
            case str():
                return contents.get(value, value)
        return value

    inputs = [
        [contents[file_id], each["type"], each["display_name"], each["transcript"]]
        for file_id, each in task["inputs"].items()
    ]
    incoming = Path(task["folder"]) / INCOMING
    parts = [task["maker"], task["tool"], task["index"], without_ids(task["request"]), inputs]
    parts += [
        _digest(incoming) if incoming.exists() else None,
        os.environ.get(MAX_SIDE_VARIABLE),
        _source_digest(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _source_digest() -> str:
    """A digest of the source code that determines the media."""
    sources = [*_HERE.glob("art/*.py"), *_HERE.glob("makers/*.py")]
    sources += [Path(presenters.__file__), Path(voices.__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
