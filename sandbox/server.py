"""The process: takes the port, says when it is ready, and ends within a second when it is told to."""

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
from sandbox.connection import CuttableProtocol
from sandbox.settings import Settings
from sandbox.world import World

PARENT_CHECK_SECONDS = 0.5
LONGEST_STOP_SECONDS = 0.8


class PortTaken(Exception):
    """The address cannot be listened on; the message says which and why."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Port 0 lets the system choose one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named so that asyncio turns off Nagle's delay: 40 ms less for each answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = "it is already in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise PortTaken(f"The sandbox cannot listen on {host}:{port}: {reason}.") from error
    return bound


class Server(uvicorn.Server):
    """uvicorn without its clock: it sleeps until a signal comes, then drops what is in flight."""

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

        def tell(number: int, frame: object) -> None:
            # Not the loop's own signal handling: a loop that drowns in connections would hear of it too late.
            _exit_after(LONGEST_STOP_SECONDS)
            loop.call_soon_threadsafe(self.stop)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, tell)
        yield

    def stop(self) -> None:
        self.should_exit = self.force_exit = True
        _exit_after(LONGEST_STOP_SECONDS)
        self.stopping.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Only the work is stopped here. The sockets fall with the process, see ``_serve``."""
        # A request that is cut now is none that went wrong.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_exits: list[threading.Timer] = []


def _exit_after(seconds: float) -> None:
    """However busy or stuck the loop is, the process ends by then."""
    if not _exits:
        _exits.append(threading.Timer(seconds, os._exit, (0,)))
        _exits[0].daemon = True
        _exits[0].start()


def serve(
    settings: Settings, bound: socket.socket, last: Callable[[], None], *, with_parent: bool = False
) -> NoReturn:
    """Run until SIGTERM, SIGINT or, if so asked, the end of the parent process; then ``last``, and the process ends."""
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    base_url = settings.base_url or f"http://{shown}:{port}"
    address = f"http://{shown}:{port}"
    asyncio.run(_serve(dataclasses.replace(settings, base_url=base_url), bound, with_parent, address, last))
    raise AssertionError("the process has ended inside the loop")


async def _serve(
    settings: Settings, bound: socket.socket, with_parent: bool, address: str, last: Callable[[], None]
) -> None:
    world = World.build(settings)
    config = uvicorn.Config(
        build_app(world),
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=128,
        timeout_keep_alive=75,
    )
    server = Server(config, address)
    world.start()
    if with_parent:
        Parent(server.stop).watch()
    try:
        await server.serve(sockets=[bound])
    finally:
        await world.close()
        last()
    # Not by leaving the loop: closing it while connections are half accepted makes CPython 3.13 complain,
    # and uvicorn's own way waits for all of them and logs an error.
    sys.stdout.flush()
    os._exit(0)


class Parent:
    """The process that started this one; ``gone`` is called once when it has ended."""

    def __init__(self, gone: Callable[[], None]) -> None:
        self._pid = os.getppid()
        self._gone = gone

    def watch(self) -> None:
        if os.getppid() == self._pid:
            asyncio.get_running_loop().call_later(PARENT_CHECK_SECONDS, self.watch)
        else:
            self._gone()
