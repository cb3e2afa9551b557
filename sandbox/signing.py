"""Signed, expiring URLs of media and of upload targets: made here, checked here."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import quote


class Signer:
    """HMAC-SHA256 over the path and the expiry, with a key that survives restarts."""

    def __init__(self, base_url: str, key: bytes) -> None:
        self.base_url = base_url
        self._key = key

    def media_url(self, file_id: str, name: str, expires: float) -> str:
        path = f"/media/{file_id}/{quote(name)}"
        return f"{self.base_url}{path}?{self._query(path, expires)}"

    def stream_url(self, file_id: str, name: str, expires: float) -> str:
        """The permit is part of the path, so that a playlist can name its segments relatively."""
        path = f"/stream/{file_id}"
        whole = int(expires)
        return f"{self.base_url}{path}/{whole}-{self._signature(path, whole)}/{quote(name)}"

    def upload_url(self, file_id: str, expires: float) -> str:
        path = f"/incoming/{file_id}"
        return f"{self.base_url}{path}?{self._query(path, expires)}"

    def public_url(self, *segments: str) -> str:
        """A permanent URL without a signature."""
        return f"{self.base_url}/{'/'.join(quote(segment) for segment in segments)}"

    def is_valid(self, path: str, expires: str, signature: str) -> bool:
        """Whether the signature fits the path and the time has not come. ``expires`` is as it stood in the URL."""
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
            return False
        right = self._signature(path, int(expires))
        return hmac.compare_digest(right.encode(), signature.encode()) and time.time() < int(expires)

    def _query(self, path: str, expires: float) -> str:
        return f"expires={int(expires)}&sig={self._signature(path, int(expires))}"

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._key, f"{path}|{expires}".encode(), hashlib.sha256).hexdigest()[:32]
