"""Uploads files as a page does, and polls them until they are processed."""

from __future__ import annotations

from typing import Any

import httpx
from django.utils import timezone

from executions.core import runtime
from executions.models import File
from executions.models.file import State
from executions.workers import file_worker
from tests.dashboard.browsers import Browser
from tests.waiting import until

RAW = "application/octet-stream"


async def send(browser: Browser, body: bytes, name: str = "pier.png", query: str = "") -> Any:
    """Uploads like static/js/lib/upload.js."""
    return await browser.async_client.post(
        f"/files/upload/?{httpx.QueryParams(name=name)}{query}", body, content_type=RAW
    )


async def stored_files() -> list[File]:
    return await runtime.in_db(lambda: list(File.objects.order_by("id")))


async def processed(pk: Any) -> File:
    """The file after the file worker has polled it until it is no longer processing."""

    async def poll_once() -> File | None:
        await runtime.in_db(
            File.objects.filter(pk=pk, next_poll_at__isnull=False).update, next_poll_at=timezone.now()
        )
        for each in await runtime.in_db(file_worker.claim_due, 10):
            await file_worker.process(each)
        found = await runtime.in_db(File.objects.get, pk=pk)
        return found if found.state != State.PROCESSING else None

    return await until(poll_once)
