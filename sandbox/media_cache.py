"""Media that were made once are not made again: what a maker made lies in a folder, under a digest of all it was told.

`SANDBOX_MEDIA_CACHE` names the folder, which any number of sandboxes may share; without it everything is made anew.
What was asked for, the bytes and the words of the inputs and the source of the makers count; ids do not, since a file
has another one in each sandbox. Whoever needs a thing that somebody else is just making waits for it.
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

Json = dict[str, Any]
FOLDER = "SANDBOX_MEDIA_CACHE"
_DESCRIPTION = "made.json"
_HERE = Path(__file__).parent


def remembered(job: Json, make: Callable[[], Json]) -> Json:
    """What ``make`` makes for this order of a worker, from the cache if it is there."""
    told = os.environ.get(FOLDER)
    if not told:
        return make()
    folder, into = Path(told), Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / _key(job)
    with _alone(folder, kept.name):
        if not kept.exists():
            made = make()
            _keep(made, into, kept)
            return made
    for path in kept.iterdir():
        if path.name != _DESCRIPTION:
            _same(path, into / path.name)
    found: Json = json.loads((kept / _DESCRIPTION).read_text())
    return found


def _keep(made: Json, source: Path, kept: Path) -> None:
    """All of it, or nothing: the folder gets its name when it is complete."""
    part = Path(tempfile.mkdtemp(prefix="part-", dir=kept.parent))
    try:
        for path in source.iterdir():
            if not path.name.startswith(INCOMING):
                _same(path, part / path.name)
        (part / _DESCRIPTION).write_text(json.dumps(made))
        part.rename(kept)
    except OSError:
        # A full disk, say: then it is made anew the next time.
        shutil.rmtree(part, ignore_errors=True)


def _same(path: Path, there: Path) -> None:
    """The same file under another name, in place of what an attempt that broke off left there."""
    there.unlink(missing_ok=True)
    try:
        os.link(path, there)
    except OSError:
        # Another disk.
        shutil.copyfile(path, there)


@contextlib.contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """One process at a time for one key. The lock of a process that is killed is free at once."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _key(job: Json) -> str:
    contents = {file_id: _digest(Path(each["path"])) for file_id, each in job["inputs"].items()}

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
        for file_id, each in job["inputs"].items()
    ]
    incoming = Path(job["folder"]) / INCOMING
    told = [job["maker"], job["tool"], job["index"], without_ids(job["request"]), inputs]
    told += [
        _digest(incoming) if incoming.exists() else None,
        os.environ.get("SANDBOX_LONGEST_SIDE"),
        _makers(),
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _makers() -> str:
    """A digest of the source that decides what is made."""
    sources = [*_HERE.glob("art/*.py"), *_HERE.glob("makers/*.py")]
    sources += [Path(presenters.__file__), Path(voices.__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
