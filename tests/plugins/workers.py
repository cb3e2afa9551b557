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
from pathlib import Path
from urllib.parse import urlsplit

from tests import migrated

ROOT = Path(__file__).resolve().parents[2]
REDIS_DATABASES = 16  # the default of a Redis server


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


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="rushes-tests-")
    os.environ[migrated.SHARED_FOLDER] = folder
    os.environ["SANDBOX_MEDIA_CACHE"] = f"{folder}/media-cache"
    os.environ["SANDBOX_LONGEST_SIDE"] = "480"


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        migrated.drop_postgres_template()
        shutil.rmtree(os.environ[migrated.SHARED_FOLDER])


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    isolate(worker)
