"""Webhook deliveries as VideoGen writes them, for tests that hand them to the inbox."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from executions.videogen import parse_event
from executions.webhooks import ingest


def body_of(event: str, remote_id: str, **more: Any) -> bytes:
    """The body of a job's event, without results unless they are given."""
    told = {
        "event": event,
        "toolExecutionId": remote_id,
        "toolType": "GENERATE_IMAGE",
        "occurredAt": timezone.now().timestamp(),
    }
    return json.dumps(told | more).encode()


def deliver(webhook_id: str, body: bytes) -> str:
    """Hand a delivery to the inbox, as the receiver does once its signature is good; its outcome."""
    headers = {"webhook-id": webhook_id, "webhook-timestamp": "1779962412"}
    return ingest.receive(webhook_id, parse_event(body), headers, body)


def end(webhook_id: str, remote_id: str, status: str, **more: Any) -> str:
    """Deliver a job's end; one that succeeded has one result."""
    if status == "succeeded":
        more.setdefault("results", [{"fileId": f"vg_file_of_{remote_id}", "type": "IMAGE"}])
    return deliver(webhook_id, body_of(f"tool_execution.{status}", remote_id, **more))
