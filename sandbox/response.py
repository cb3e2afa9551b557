"""A complete response, buffered so that faults and rate-limit headers can be applied before it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Send

from sandbox.errors import ApiError


@dataclass
class BufferedResponse:
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    with_rate_limits: bool = True
    """False for a replacement response that must be sent without rate-limit headers."""

    @classmethod
    def from_error(cls, error: ApiError) -> BufferedResponse:
        body = json.dumps(error.body, ensure_ascii=False).encode()
        return cls(error.status, {"content-type": "application/json", **error.headers}, body)

    def capture(self) -> Send:
        """Return an ASGI ``send`` that records the response instead of sending it."""

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            elif message["type"] == "http.response.body":
                self.body += message.get("body", b"")

        return collect

    def edit(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the body if it is a JSON object; otherwise do nothing."""
        try:
            data = json.loads(self.body)
        except ValueError:
            return
        if isinstance(data, dict):
            self.body = json.dumps(change(data), ensure_ascii=False).encode()

    async def send(self, send: Send) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers.pop("content-length", None)
        if self.status not in (204, 304):
            headers["content-length"] = str(len(self.body))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if self.status in (204, 304) else self.body})
