"""Holds the API key, and shows it to nobody but the service."""

from __future__ import annotations

from collections.abc import Generator

import httpx

# Shorter ones are not looked for in texts: they would be found in innocent words.
SHORTEST_TO_MASK = 8


class BearerAuth(httpx.Auth):
    def __init__(self, api_key: str) -> None:
        self._key = api_key.strip()

    def check(self) -> None:
        """Raises ValueError for what cannot be a key. Not done above, where the frame's variables show it."""
        if not self._key:
            raise ValueError("The VideoGen API key is empty.")
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise ValueError("The VideoGen API key holds a character that a key cannot have.")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request

    def mask(self, text: bytes) -> bytes:
        """`text` without the key, should the service have repeated it."""
        return text.replace(self._key.encode(), b"[key]") if len(self._key) >= SHORTEST_TO_MASK else text

    def __repr__(self) -> str:
        return "BearerAuth([key])"

    def __reduce__(self) -> str:
        raise TypeError("A key is not pickled.")
