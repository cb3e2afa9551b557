"""Finds a port to listen on."""

from __future__ import annotations

import os
import socket


def free_port(host: str, port: int) -> int:
    """`port` if it is free, or any free one for 0. Raises OSError, or OverflowError for an invalid port.

    A port chosen for 0 stays reserved while the process lives, because the server listens only seconds later.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        if port == 0:
            # Bound but not listening: a server can still listen there, and the system assigns it to no one else.
            os.dup(probe.fileno())
        return int(probe.getsockname()[1])
