"""The client address of the current request. The middleware sets it; events store it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_address: ContextVar[str] = ContextVar("address", default="")


def address() -> str:
    """The address of the acting user; empty outside a user's request."""
    return _address.get()


@contextmanager
def from_address(address: str) -> Iterator[None]:
    """Set the client address for this thread or task within the block; at most 64 characters are stored."""
    token = _address.set(address[:64])
    try:
        yield
    finally:
        _address.reset(token)
