"""What `serve` and `web` have in common: the server until a signal comes, and the end of what still runs then."""

# isort: off
from dashboard.server.daphne_server import Server

# isort: on

import argparse
import asyncio
import errno
import os
import signal
import threading
from collections.abc import Awaitable, Callable

from django.conf import settings
from django.core.management.base import CommandError

from dashboard.server.ports import free_port
from executions.core import runtime, sync_bridge

# Seconds that running requests and calls get after SIGTERM or Ctrl-C.
DRAIN = 3.0


def add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default: 127.0.0.1).")
    parser.add_argument("--port", type=int, default=settings.PORT, help="0 takes a free one (default: 8000).")


def answer(
    host: str,
    port: int,
    *,
    begin: Callable[[Server], None],
    finish: Callable[[], Awaitable[None]],
    say: Callable[[str], None],
) -> None:
    """Answer there until stopped. `begin` is called once the loop is there, `finish` when it is to end what it began.

    Raises CommandError, with one sentence, where nobody can listen there or the work that was begun fails.
    """
    from dashboard.asgi import application

    def ready() -> None:
        loop = asyncio.get_event_loop()
        stopping: list[asyncio.Task[None]] = []

        def stop() -> None:
            if not stopping:
                say("Stopping: running requests are finished first.")
                stopping.append(loop.create_task(drained()))

        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)
        begin(server)

    async def drained() -> None:
        until = asyncio.get_running_loop().time() + DRAIN
        try:
            await asyncio.gather(server.drain(DRAIN), finish())
            # What these have handed on: a start whose page was not waited for, for one.
            await sync_bridge.drain(until - asyncio.get_running_loop().time())
            await runtime.close_client()
        finally:
            server.stop()

    server = Server(
        application,
        # As twisted writes an address; it takes colons for its own.
        endpoints=[f"tcp:{port}:interface={host.replace(':', chr(92) + ':')}"],
        ready_callable=ready,
        server_name="Rushes",
    )
    server.run()
    if server.failure:
        raise CommandError(f"Rushes at {host}:{port} ended: {server.failure}.")


def end(say: Callable[[str], None]) -> None:
    """Say that it is over, and let nothing keep the process."""
    say("Stopped.")
    if threading.active_count() > 1:
        # A view that is still waiting in a thread had its time; Python would wait for it without end.
        os._exit(0)


def chosen_port(host: str, port: int) -> int:
    """`port`, or a free one for 0; where it cannot be had, the sentence that says so."""
    try:
        return free_port(host, port)
    except OverflowError:
        raise CommandError(f"PORT must be between 0 and 65535, not {port}.") from None
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "it is in use. Set PORT to another one" if in_use else error.strerror
        raise CommandError(f"Rushes cannot listen on {host}:{port}: {reason}.") from None
