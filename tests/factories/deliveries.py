"""Webhook deliveries as VideoGen signs and sends them, for tests of the receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

from django.http import HttpResponse
from django.test import AsyncClient

URL = "/webhooks/videogen/"
SECRET = "whsec_dGVzdHMgb25seSwgbmV2ZXIgdXNlZCBlbHNld2hlcmU="
OTHER_SECRET = "whsec_YW5vdGhlciBzZWNyZXQsIGFsc28gZm9yIHRlc3RzIGFsb25l"


def event(remote_id: str, name: str = "tool_execution.succeeded", **more: Any) -> bytes:
    """The body of an event about a job."""
    fields = {
        "event": name,
        "toolExecutionId": remote_id,
        "toolType": "GENERATE_IMAGE",
        "occurredAt": time.time(),
    }
    if name.endswith("succeeded"):
        fields["results"] = [{"fileId": f"vg_file_{remote_id}", "type": "IMAGE"}]
    return json.dumps({**fields, **more}).encode()


def signature(body: bytes, webhook_id: str, timestamp: Any, secret: str = SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signed(body: bytes, webhook_id: str = "", timestamp: Any = None, secret: str = SECRET) -> dict[str, str]:
    """The three headers that VideoGen sends with a body."""
    webhook_id = webhook_id or f"msg_{uuid.uuid4().hex}"
    timestamp = int(time.time()) if timestamp is None else timestamp
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(body, webhook_id, timestamp, secret),
    }


async def deliver(
    body: bytes, headers: dict[str, str] | None = None, content_type: str = "application/json"
) -> HttpResponse:
    """Post a delivery to the receiver, signed unless other headers are given."""
    headers = signed(body) if headers is None else headers
    return await AsyncClient().post(URL, body, content_type=content_type, headers=headers)
