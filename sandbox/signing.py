"""Creates and verifies signed, expiring URLs of media and uploads."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import quote


class Signer:
    """Signs path and expiry with HMAC-SHA256, using a key that stays the same across restarts."""

    def __init__(self, base_url: str, key: bytes) -> None:
        self.base_url = base_url
        self._key = key

    def media_url(self, file_id: str, name: str, expires: float) -> str:
        path = f"/media/{file_id}/{quote(name)}"
        return f"{self.base_url}{path}?{self._query(path, expires)}"

    def stream_url(self, file_id: str, name: str, expires: float) -> str:
        """Expiry and signature are part of the path, so that playlists can use relative URLs of segments."""
        path = f"/stream/{file_id}"
        expiry = int(expires)
        return f"{self.base_url}{path}/{expiry}-{self._signature(path, expiry)}/{quote(name)}"

    def upload_url(self, file_id: str, expires: float) -> str:
        path = f"/incoming/{file_id}"
        return f"{self.base_url}{path}?{self._query(path, expires)}"

    def public_url(self, *segments: str) -> str:
        """A permanent URL without a signature."""
        return f"{self.base_url}/{'/'.join(quote(segment) for segment in segments)}"

    def is_valid(self, path: str, expires: str, signature: str) -> bool:
        """Whether the signature is valid for the path and has not expired. ``expires``: the text in the URL."""
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
            return False
        expected = self._signature(path, int(expires))
        return hmac.compare_digest(expected.encode(), signature.encode()) and time.time() < int(expires)

    def _query(self, path: str, expires: float) -> str:
        return f"expires={int(expires)}&sig={self._signature(path, int(expires))}"

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._key, f"{path}|{expires}".encode(), hashlib.sha256).hexdigest()[:32]
