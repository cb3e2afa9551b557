"""Webhook deliveries as VideoGen sends them, signed with the endpoint's secret."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

RECEIVER = "/webhooks/videogen/"


@dataclass(frozen=True)
class Delivery:
    headers: dict[str, str]
    body: bytes


def succeeded(remote_id: str, secret: str) -> Delivery:
    """A finished image: one result with its three signed URLs (about 1.3 KB)."""
    now = int(time.time())
    file_id = remote_id.replace("vg_exec_", "vg_file_")
    sources = {
        f"{name}Source": {
            "status": "ready",
            "url": f"https://media.videogen.example/{file_id}/{name}.webp?expires={now + 3600}&sig=3f9c1ae0",
            "expiresAt": now + 3600,
            "width": width,
            "height": width * 9 // 16,
            "fileBytes": width * 100,
        }
        for name, width in (("thumbnail", 256), ("preview", 1280), ("download", 1920))
    }
    file = {
        "fileId": file_id,
        "type": "IMAGE",
        "scope": "GLOBAL",
        "displayName": "Lighthouse on a basalt cliff",
        "description": None,
        "durationSeconds": None,
        "transcript": None,
        **sources,
        "hlsSource": None,
        "isPublicPreviewEnabled": False,
        "sourceToolType": "GENERATE_IMAGE",
        "sourceToolExecutionId": remote_id,
    }
    event = {
        "event": "tool_execution.succeeded",
        "toolExecutionId": remote_id,
        "toolType": "GENERATE_IMAGE",
        "occurredAt": now,
        "results": [{"fileId": file_id, "type": "IMAGE", "file": file}],
    }
    return signed(event, f"msg_{remote_id}", secret)


def signed(event: dict[str, object], webhook_id: str, secret: str) -> Delivery:
    now, text = datetime.now(UTC), json.dumps(event)
    headers = {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, text),
    }
    return Delivery(headers, text.encode())
