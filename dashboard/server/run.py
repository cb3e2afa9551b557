"""Runs the server for `serve` and `web` until a signal, then stops it gracefully."""

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

# Seconds that running requests and calls get to finish after SIGTERM or Ctrl-C.
DRAIN_TIMEOUT = 3.0


def add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default: 127.0.0.1).")
    parser.add_argument(
        "--port", type=int, default=settings.PORT, help="Port; 0 picks a free one (default: 8000)."
    )


def serve_until_stopped(
    host: str,
    port: int,
    *,
    begin: Callable[[Server], None],
    finish: Callable[[], Awaitable[None]],
    report: Callable[[str], None],
) -> None:
    """Serve until stopped. `begin` is called when the event loop exists, `finish` to stop what `begin` started.

    Raises CommandError if the address is not available, or the started work fails.
    """
    from dashboard.asgi import application

    def ready() -> None:
        loop = asyncio.get_event_loop()
        stopping: list[asyncio.Task[None]] = []

        def stop() -> None:
            if not stopping:
                report("Stopping: waiting for running requests.")
                stopping.append(loop.create_task(drain()))

        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)
        begin(server)

    async def drain() -> None:
        until = asyncio.get_running_loop().time() + DRAIN_TIMEOUT
        try:
            await asyncio.gather(server.drain(DRAIN_TIMEOUT), finish())
            # Work that these left behind, such as a start whose page did not wait for it.
            await sync_bridge.drain(until - asyncio.get_running_loop().time())
            await runtime.close_client()
        finally:
            server.stop()

    server = Server(
        application,
        # An endpoint string of Twisted, in which colons must be escaped.
        endpoints=[f"tcp:{port}:interface={host.replace(':', chr(92) + ':')}"],
        ready_callable=ready,
        server_name="Rushes",
    )
    server.run()
    if server.failure:
        raise CommandError(f"Rushes at {host}:{port} stopped: {server.failure}.")


def report_stop(report: Callable[[str], None]) -> None:
    """Report the stop, and exit even if threads still run."""
    report("Stopped.")
    if threading.active_count() > 1:
        # A view still blocks in a thread after the timeout; Python would wait for it for ever.
        os._exit(0)


def resolve_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises CommandError with the reason if it is not available."""
    try:
        return free_port(host, port)
    except OverflowError:
        raise CommandError(f"PORT must be between 0 and 65535, not {port}.") from None
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "the port is in use. Set PORT to another one" if in_use else error.strerror
        raise CommandError(f"Rushes cannot listen on {host}:{port}: {reason}.") from None
