"""Limits password guessing: after too many failures for one name from one address, attempts are rejected for a while."""

from __future__ import annotations

import hashlib

from django.core.cache import cache
from django.http import HttpRequest

from dashboard.http.client_ip import client_address

# Failures within THROTTLE_SECONDS after which attempts are rejected: by name and address, and by address alone.
MAX_BY_NAME, MAX_BY_ADDRESS = 10, 50
THROTTLE_SECONDS = 300


class FailedAttempts:
    """The failed attempts that count against this request."""

    def __init__(self, request: HttpRequest, what: str = "guesses") -> None:
        address = client_address(request)
        name = request.POST.get("username", "").casefold()
        self.keys = {
            f"{what}:{hashlib.sha256(f'{address} {name}'.encode()).hexdigest()}": MAX_BY_NAME,
            f"{what}:{hashlib.sha256(address.encode()).hexdigest()}": MAX_BY_ADDRESS,
        }

    def too_many(self) -> bool:
        counts = cache.get_many(self.keys)
        return any(counts.get(key, 0) >= limit for key, limit in self.keys.items())

    def count(self) -> None:
        for key in self.keys:
            cache.add(key, 0, THROTTLE_SECONDS)
            cache.incr(key)

    def reset(self) -> None:
        """Reset the count for this name after a successful attempt; that of the address stays."""
        cache.delete(next(iter(self.keys)))
