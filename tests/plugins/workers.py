"""What workers of pytest-xdist would have in common, each gets for itself. Loaded before the settings are.

The databases are named after the worker by pytest-django. A folder, a database of Redis and, by its number, the
prefix of the channel layer are given here. Without workers nothing is changed.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
REDIS_DATABASES = 16  # a Redis has as many, unless told otherwise


def own_redis(url: str, number: int) -> str:
    """The address of the worker's database: as many after the given one as there are workers before it."""
    parts = urlsplit(url)
    database = int(parts.path.strip("/") or 0) + number
    if database >= REDIS_DATABASES:
        raise RuntimeError(
            f"No Redis database is left for worker {number}: start from 0, or use fewer workers."
        )
    return parts._replace(path=f"/{database}").geturl()


def separate(worker: str) -> None:
    folder = Path(os.environ.get("DATA_DIR") or ROOT / "data" / "tests") / worker
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["DATA_DIR"] = str(folder)
    if os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = own_redis(os.environ["REDIS_URL"], int(worker.removeprefix("gw")))


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    separate(worker)
