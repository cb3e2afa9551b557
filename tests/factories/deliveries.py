"""Webhook deliveries as VideoGen signs and sends them, for tests of the receiver and of the ingest."""

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

from executions.videogen import parse_event
from executions.webhooks.ingest import receive

URL = "/webhooks/videogen/"
SECRET = "whsec_dGVzdHMgb25seSwgbmV2ZXIgdXNlZCBlbHNld2hlcmU="
OTHER_SECRET = "whsec_YW5vdGhlciBzZWNyZXQsIGFsc28gZm9yIHRlc3RzIGFsb25l"


def outcome(remote_id: str, status: str, **more: Any) -> dict[str, Any]:
    """The event that reports the outcome of a job; it has no results unless they are given."""
    return {
        "event": f"tool_execution.{status}",
        "toolExecutionId": remote_id,
        "toolType": "GENERATE_IMAGE",
        "occurredAt": time.time(),
        **more,
    }


def event(remote_id: str, name: str = "tool_execution.succeeded", **more: Any) -> bytes:
    """The body of an event about a job. `succeeded` has one result unless results are given."""
    status = name.removeprefix("tool_execution.")
    if status == "succeeded":
        more = {"results": [{"fileId": f"vg_file_{remote_id}", "type": "IMAGE"}], **more}
    return json.dumps(outcome(remote_id, status, **{"event": name, **more})).encode()


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


def ingest(webhook_id: str, body: bytes) -> str:
    """Ingest a delivery, as the receiver does after checking the signature. Returns the outcome of the delivery."""
    headers = {"webhook-id": webhook_id, "webhook-timestamp": "1779962412"}
    return receive(webhook_id, parse_event(body), headers, body)


def ingest_outcome(webhook_id: str, remote_id: str, status: str, **more: Any) -> str:
    """Ingest the final status of a job. `succeeded` has one result unless results are given."""
    return ingest(webhook_id, event(remote_id, f"tool_execution.{status}", **more))
