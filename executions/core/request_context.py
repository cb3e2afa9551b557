"""Where the request that is being answered came from. The transport says it; events carry it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_address: ContextVar[str] = ContextVar("address", default="")


def address() -> str:
    """The address of whoever acts; empty outside a person's request."""
    return _address.get()


@contextmanager
def from_address(address: str) -> Iterator[None]:
    """What happens meanwhile, in this thread or task, is asked for from there."""
    token = _address.set(address[:64])
    try:
        yield
    finally:
        _address.reset(token)
