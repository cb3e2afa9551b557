"""Webhook deliveries as VideoGen sends them, for tests that pass them to the ingest directly."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from executions.videogen import parse_event
from executions.webhooks import ingest


def event_body(event: str, remote_id: str, **more: Any) -> bytes:
    """The body of an event about a job; it has no results unless they are given."""
    fields = {
        "event": event,
        "toolExecutionId": remote_id,
        "toolType": "GENERATE_IMAGE",
        "occurredAt": timezone.now().timestamp(),
    }
    return json.dumps(fields | more).encode()


def deliver(webhook_id: str, body: bytes) -> str:
    """Ingest a delivery, as the receiver does after checking the signature. Returns the outcome of the delivery."""
    headers = {"webhook-id": webhook_id, "webhook-timestamp": "1779962412"}
    return ingest.receive(webhook_id, parse_event(body), headers, body)


def deliver_outcome(webhook_id: str, remote_id: str, status: str, **more: Any) -> str:
    """Ingest the final status of a job. `succeeded` has one result unless results are given."""
    if status == "succeeded":
        more.setdefault("results", [{"fileId": f"vg_file_of_{remote_id}", "type": "IMAGE"}])
    return deliver(webhook_id, event_body(f"tool_execution.{status}", remote_id, **more))
