"""Finds a port to listen on."""

from __future__ import annotations

import os
import socket


def free_port(host: str, port: int) -> int:
    """`port`, proven to be free, or any free one for 0. Raises OSError, or OverflowError for what is no port.

    One that was found for 0 stays ours while the process lives: it takes seconds until somebody listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        if port == 0:
            # Bound, and never listening: a server may listen there all the same, and the system gives it to nobody else.
            os.dup(probe.fileno())
        return int(probe.getsockname()[1])
