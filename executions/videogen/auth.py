"""Holds the API key and sends it to VideoGen only."""

from __future__ import annotations

from collections.abc import Generator

import httpx

# Shorter keys are not masked: they would match ordinary text.
MIN_MASKED_LENGTH = 8


class BearerAuth(httpx.Auth):
    def __init__(self, api_key: str) -> None:
        self._key = api_key.strip()

    def check(self) -> None:
        """Raises ValueError for an invalid key. Not in `__init__`, whose frame variables would reveal it in a log."""
        if not self._key:
            raise ValueError("The VideoGen API key is empty.")
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise ValueError("The VideoGen API key contains an invalid character.")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request

    def mask(self, text: bytes) -> bytes:
        """`text` with the key masked, in case VideoGen echoed it."""
        return text.replace(self._key.encode(), b"[key]") if len(self._key) >= MIN_MASKED_LENGTH else text

    def __repr__(self) -> str:
        return "BearerAuth([key])"

    def __reduce__(self) -> str:
        raise TypeError("An API key cannot be pickled.")
