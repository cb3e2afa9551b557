"""A port that was found free is still free when the server comes to listen there."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from dashboard.server.ports import free_port


def test_a_free_port_is_nobody_elses_until_we_listen_there() -> None:
    port = free_port("127.0.0.1", 0)
    with closing(socket.socket()) as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    # As servers do.
    with closing(socket.create_server(("127.0.0.1", port))):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_port_that_is_named_is_only_looked_at() -> None:
    port = free_port("127.0.0.1", 0)
    with closing(socket.create_server(("127.0.0.1", port))), pytest.raises(OSError, match="in use"):
        free_port("127.0.0.1", port)
