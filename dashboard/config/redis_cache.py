"""A Redis cache that tolerates outages: every read is then a miss, and pages work without it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

# Timeouts in seconds, and no retries: a cache is not worth waiting for.
OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 1, "retry": Retry(NoBackoff(), 0)}


class Cache(RedisCache):
    is_down = False

    def _call[T](self, otherwise: T, work: Callable[..., T], *args: Any, **options: Any) -> T:
        try:
            answer = work(*args, **options)
        except RedisError as error:
            if not self.is_down:
                logger.warning("Cache unavailable: %s", error)
            self.is_down = True
            return otherwise
        self.is_down = False
        return answer

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._call(default, super().get, key, default, version)

    def get_many(self, keys: Any, version: int | None = None) -> dict[str, Any]:
        return self._call({}, super().get_many, keys, version)

    def set(self, *args: Any, **options: Any) -> None:
        self._call(None, super().set, *args, **options)

    def add(self, *args: Any, **options: Any) -> bool:
        return self._call(False, super().add, *args, **options)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        return self._call(delta, super().incr, key, delta, version)

    def delete(self, key: str, version: int | None = None) -> bool:
        return self._call(False, super().delete, key, version)
