"""A brake on guessing passwords: so many failures for one name from one address, and it has to wait."""

from __future__ import annotations

import hashlib

from django.core.cache import cache
from django.http import HttpRequest

from dashboard.http.client_ip import client_address

# Failures within the window (seconds) before the next try is refused: by name and address, and by address alone.
BY_NAME, BY_ADDRESS = 10, 50
WINDOW = 300


class Guesses:
    """The failed tries that count against this request."""

    def __init__(self, request: HttpRequest, what: str = "guesses") -> None:
        address = client_address(request)
        name = request.POST.get("username", "").casefold()
        self.keys = {
            f"{what}:{hashlib.sha256(f'{address} {name}'.encode()).hexdigest()}": BY_NAME,
            f"{what}:{hashlib.sha256(address.encode()).hexdigest()}": BY_ADDRESS,
        }

    def too_many(self) -> bool:
        counts = cache.get_many(self.keys)
        return any(counts.get(key, 0) >= limit for key, limit in self.keys.items())

    def count(self) -> None:
        for key in self.keys:
            cache.add(key, 0, WINDOW)
            cache.incr(key)

    def forget(self) -> None:
        """The right password ends the count for this name; the address's own goes on."""
        cache.delete(next(iter(self.keys)))
