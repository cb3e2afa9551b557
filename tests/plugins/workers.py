"""Gives each worker of pytest-xdist its own data folder and Redis database, and all one shared folder.

Loaded before the settings. The shared folder is for what is made once per run: migrated databases, and the media of the
sandboxes, which are small and cached there.

pytest-django names the databases after the worker. The prefix of the channel layer contains the number of the Redis
database. Without workers nothing changes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import migrated

ROOT = Path(__file__).resolve().parents[2]
REDIS_DATABASES = 16  # the default of a Redis server
# Makes the database that all workers copy, while they collect the tests.
_migrating = threading.Thread(target=migrated.make, name="migrating")


def own_redis(url: str, number: int) -> str:
    """The URL of the worker's database: `number` databases after the given one. Raises RuntimeError if there is none."""
    parts = urlsplit(url)
    database = int(parts.path.strip("/") or 0) + number
    if database >= REDIS_DATABASES:
        raise RuntimeError(
            f"No Redis database is left for worker {number}: start from 0, or use fewer workers."
        )
    return parts._replace(path=f"/{database}").geturl()


def isolate(worker: str) -> None:
    folder = Path(os.environ.get("DATA_DIR") or ROOT / "data" / "tests") / worker
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["DATA_DIR"] = str(folder)
    if os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = own_redis(os.environ["REDIS_URL"], int(worker.removeprefix("gw")))


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="rushes-tests-")
    os.environ[migrated.SHARED_FOLDER] = folder
    os.environ["SANDBOX_MEDIA_CACHE"] = f"{folder}/media-cache"
    os.environ["SANDBOX_LONGEST_SIDE"] = "480"
    if config.getoption("numprocesses", None):
        _migrating.start()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let every worker begin with its share of the slow tests, so that none of them is still running at the end.

    xdist gives each worker an equal part of the list, in order; workers that finish early take over tests of others.
    """
    workers = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    items[:] = slow_first(items, [item.get_closest_marker("slow") is not None for item in items], workers)


def slow_first[T](items: list[T], slow: list[bool], workers: int) -> list[T]:
    """`items`, so that each of the equal parts that workers get begins with its share of the slow ones."""
    late = [item for item, is_slow in zip(items, slow, strict=True) if not is_slow]
    early = [item for item, is_slow in zip(items, slow, strict=True) if is_slow]
    ordered: list[T] = []
    for number in range(workers):
        # As tests are handed out by WorkStealingScheduling of xdist.
        size = (len(items) - len(ordered)) // (workers - number)
        share = early[number::workers]
        ordered += share + late[: size - len(share)]
        del late[: size - len(share)]
    return ordered


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        if _migrating.ident:
            _migrating.join()
        migrated.drop_postgres_template()
        shutil.rmtree(os.environ[migrated.SHARED_FOLDER])


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    isolate(worker)
