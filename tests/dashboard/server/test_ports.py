"""A port that was found free stays reserved until the server listens there."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from dashboard.server.ports import free_port


def test_a_free_port_stays_reserved() -> None:
    port = free_port("127.0.0.1", 0)
    with closing(socket.socket()) as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    # As a server does.
    with closing(socket.create_server(("127.0.0.1", port))):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_given_port_is_only_checked() -> None:
    port = free_port("127.0.0.1", 0)
    with closing(socket.create_server(("127.0.0.1", port))), pytest.raises(OSError, match="in use"):
        free_port("127.0.0.1", port)
