"""Finds a port to listen on."""

from __future__ import annotations

import socket


def free_port(host: str, port: int) -> int:
    """`port`, proven to be free, or any free one for 0. Raises OSError, or OverflowError for what is no port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])
