"""Where the domain runs: the process's event loop, its API client, and the threads that talk to the database.

A process that runs an event loop (a server, a reconciler) attaches it once. From then on any thread can
hand work to it (core/sync_bridge.py). Where none is attached (a shell, a test), the work waits in the database for a process that has one.
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
    """Make `loop` the one that work from other threads goes to. Attaching it again does nothing."""
    global _loop
    _loop = loop


def detach() -> None:
    """Forget the loop and the account: what `attach` and `use_account` set."""
    global _loop, _account
    _loop = _account = None


def attached_loop() -> asyncio.AbstractEventLoop | None:
    return _loop if _loop is not None and _loop.is_running() else None


# --- the API client ---------------------------------------------------------------------------------------


def use_account(api_key: str, base_url: str) -> None:
    """Talk to this account instead of the configured one: `serve` does so for the sandbox that it started."""
    global _account
    _account = (api_key, base_url)
    _clients.clear()


def account_mark() -> str:
    """What tells one account's key from another's, without telling the key."""
    api_key, _ = _account or (settings.VIDEOGEN_API_KEY, "")
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


def client() -> VideoGen:
    """The API client of the running loop: one connection pool for each loop, made when it is first needed."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        api_key, base_url = _account or (settings.VIDEOGEN_API_KEY, settings.VIDEOGEN_BASE_URL)
        knows_pages = settings.VIDEOGEN_API_ERA != "0.0"
        _clients[loop] = VideoGen(api_key=api_key, base_url=base_url, knows_pages=knows_pages)
    return _clients[loop]


async def close_client() -> None:
    found = _clients.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.aclose()


# --- the database -----------------------------------------------------------------------------------------


async def in_db[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work`, which writes to the database, in a thread made for it; on SQLite one after the other.

    SQLite has one writer at a time anyway: a single thread keeps them in order, without waiting for locks.
    """
    size = 1 if connection.vendor == "sqlite" else 4
    return await _in_thread("writer", size, partial(work, *args, **kwargs))


async def in_reader[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work`, which only reads, beside the writers."""
    return await _in_thread("reader", 2, partial(work, *args, **kwargs))


async def apart[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run `work`, which takes seconds or minutes and writes little, where nobody waits for its thread."""
    return await _in_thread("apart", 1, partial(work, *args, **kwargs))


async def _in_thread[T](name: str, size: int, work: Callable[[], T]) -> T:
    with _lock:
        if name not in _pools:
            _pools[name] = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
    # Events that are written there carry the address of whoever asked (executions/core/request_context.py).
    within = copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_pools[name], within, _with_connection, work)


def _with_connection[T](work: Callable[[], T]) -> T:
    # On SQLite the thread keeps its connection; from a pool it is borrowed for one call.
    keeps = connection.vendor == "sqlite"
    if not keeps:
        close_old_connections()
    try:
        return work()
    except DatabaseError:
        connection.close()
        raise
    finally:
        if not keeps:
            close_old_connections()


def close_database_threads() -> None:
    """End the threads and their connections; the next call starts new ones."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        # One job for each thread: the barrier keeps a fast one from taking two.
        barrier = threading.Barrier(pool._max_workers)
        for _ in range(pool._max_workers):
            pool.submit(_close_own, barrier)
        pool.shutdown()


def _close_own(barrier: threading.Barrier) -> None:
    barrier.wait(timeout=30)
    connections.close_all()
