"""The runtime of the domain: the process's event loop, its API client, and the threads that use the database.

A process with an event loop (a server, a reconciler) attaches it once. From then on any thread can submit work to it
(core/sync_bridge.py). Without an attached loop (a shell, a test), the work stays in the database for a process that
has one.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, connections

from executions.videogen import VideoGen

_loop: asyncio.AbstractEventLoop | None = None
_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, VideoGen] = weakref.WeakKeyDictionary()
_account: tuple[str, str] | None = None
_lock = threading.Lock()
_pools: dict[str, ThreadPoolExecutor] = {}


def attach(loop: asyncio.AbstractEventLoop) -> None:
    """Make `loop` the one that runs work from other threads. Attaching it again has no effect."""
    global _loop
    _loop = loop


def detach() -> None:
    """Forget the loop and the account, as set by `attach` and `use_account`."""
    global _loop, _account
    _loop = _account = None


def attached_loop() -> asyncio.AbstractEventLoop | None:
    return _loop if _loop is not None and _loop.is_running() else None


# --- the API client ---------------------------------------------------------------------------------------


def use_account(api_key: str, base_url: str) -> None:
    """Use this account instead of the configured one, as `serve` does for the sandbox that it started."""
    global _account
    _account = (api_key, base_url)
    _clients.clear()


def account_fingerprint() -> str:
    """An identifier of the account's API key that does not reveal the key: 16 hexadecimal digits of its SHA-256."""
    api_key, _ = _account or (settings.VIDEOGEN_API_KEY, "")
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


def client() -> VideoGen:
    """The API client of the running loop. Each loop has its own connection pool, created on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        api_key, base_url = _account or (settings.VIDEOGEN_API_KEY, settings.VIDEOGEN_BASE_URL)
        has_paging = settings.VIDEOGEN_API_ERA != "0.0"
        _clients[loop] = VideoGen(api_key=api_key, base_url=base_url, has_paging=has_paging)
    return _clients[loop]


async def close_client() -> None:
    closing = _clients.pop(asyncio.get_running_loop(), None)
    if closing is not None:
        await closing.aclose()


# --- the database -----------------------------------------------------------------------------------------


async def in_db[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work`, which writes to the database, in a writer thread: one on SQLite, four on PostgreSQL.

    SQLite allows one writer at a time, so a single thread avoids waiting for locks.
    """
    size = 1 if connection.vendor == "sqlite" else 4
    return await _in_thread("writer", size, partial(work, *args, **kwargs))


async def in_reader[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work`, which only reads, in a reader thread, in parallel with the writers."""
    return await _in_thread("reader", 2, partial(work, *args, **kwargs))


async def in_background[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work`, which takes seconds or minutes and writes little, apart from the other database threads."""
    return await _in_thread("background", 1, partial(work, *args, **kwargs))


async def _in_thread[T](name: str, size: int, work: Callable[[], T]) -> T:
    with _lock:
        if name not in _pools:
            _pools[name] = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
    # Events written in the thread need the client address of the request (executions/core/request_context.py).
    in_context = copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_pools[name], in_context, _with_connection, work)


def _with_connection[T](work: Callable[[], T]) -> T:
    # On SQLite each thread keeps its connection; on PostgreSQL it is borrowed from a pool for one call.
    is_persistent = connection.vendor == "sqlite"
    if not is_persistent:
        close_old_connections()
    try:
        return work()
    except DatabaseError:
        connection.close()
        raise
    finally:
        if not is_persistent:
            close_old_connections()


def close_database_threads() -> None:
    """End the threads and their connections; the next call starts new ones."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        # Each thread gets one close call: the barrier prevents a fast thread from taking two.
        barrier = threading.Barrier(pool._max_workers)
        for _ in range(pool._max_workers):
            pool.submit(_close_own, barrier)
        pool.shutdown()


def _close_own(barrier: threading.Barrier) -> None:
    barrier.wait(timeout=30)
    connections.close_all()
