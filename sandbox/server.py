"""The server process: binds the port, reports when it is ready, and stops within a second when asked."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import uvicorn

from sandbox.app import build_app
from sandbox.connection import DroppableProtocol
from sandbox.services import Services
from sandbox.settings import Settings

PARENT_CHECK_SECONDS = 0.5
STOP_TIMEOUT = 0.8


class BindFailed(Exception):
    """Cannot listen on the address. The message names the address and the reason."""


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket. Port 0 picks a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Name the protocol explicitly: only then does asyncio set TCP_NODELAY, which saves 40 ms per response.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = "it is already in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise BindFailed(f"The sandbox cannot listen on {host}:{port}: {reason}.") from error
    return bound


class Server(uvicorn.Server):
    """uvicorn without its periodic tick: it sleeps until a signal arrives, then drops open requests."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self.address = address
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"sandbox ready at {self.address}", flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def handle_signal(number: int, frame: object) -> None:
            # Not asyncio's own signal handling: a loop overloaded with connections would react too late.
            _exit_after(STOP_TIMEOUT)
            loop.call_soon_threadsafe(self.stop)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, handle_signal)
        yield

    def stop(self) -> None:
        self.should_exit = self.force_exit = True
        _exit_after(STOP_TIMEOUT)
        self.stopping.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cancel running requests only. The sockets are closed when the process exits, see ``_serve``."""
        # Requests cancelled now are not errors, so do not log them.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_exits: list[threading.Timer] = []


def _exit_after(seconds: float) -> None:
    """Exit after that time, however busy or stuck the event loop is."""
    if not _exits:
        _exits.append(threading.Timer(seconds, os._exit, (0,)))
        _exits[0].daemon = True
        _exits[0].start()


def serve(
    settings: Settings, bound: socket.socket, cleanup: Callable[[], None], *, with_parent: bool = False
) -> NoReturn:
    """Run until SIGTERM, SIGINT or, ``with_parent``, the exit of the parent process. Then call ``cleanup`` and exit."""
    host, port = bound.getsockname()[:2]
    url_host = f"[{host}]" if ":" in host else host
    base_url = settings.base_url or f"http://{url_host}:{port}"
    address = f"http://{url_host}:{port}"
    asyncio.run(
        _serve(dataclasses.replace(settings, base_url=base_url), bound, with_parent, address, cleanup)
    )
    raise AssertionError("the process exits inside the event loop")


async def _serve(
    settings: Settings, bound: socket.socket, with_parent: bool, address: str, cleanup: Callable[[], None]
) -> None:
    services = Services.build(settings)
    config = uvicorn.Config(
        build_app(services),
        http=DroppableProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=128,
        timeout_keep_alive=75,
    )
    server = Server(config, address)
    services.start()
    if with_parent:
        ParentWatcher(server.stop).watch()
    try:
        await server.serve(sockets=[bound])
    finally:
        await services.close()
        cleanup()
    # Do not leave the event loop: closing it while connections are half accepted makes CPython 3.13 warn,
    # and uvicorn's own shutdown waits for all of them and logs an error.
    sys.stdout.flush()
    os._exit(0)


class ParentWatcher:
    """Calls ``on_exit`` once when the parent process has exited."""

    def __init__(self, on_exit: Callable[[], None]) -> None:
        self._pid = os.getppid()
        self._on_exit = on_exit

    def watch(self) -> None:
        if os.getppid() == self._pid:
            asyncio.get_running_loop().call_later(PARENT_CHECK_SECONDS, self.watch)
        else:
            self._on_exit()
