"""Uploads as a page sends them, and what became of them."""

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
    """As static/js/lib/upload.js does."""
    return await browser.async_client.post(
        f"/files/upload/?{httpx.QueryParams(name=name)}{query}", body, content_type=RAW
    )


async def stored() -> list[File]:
    return await runtime.in_db(lambda: list(File.objects.order_by("id")))


async def looked_after(pk: Any) -> File:
    """The file after the background's looks, one after the other, until it is no longer in the making."""

    async def look() -> File | None:
        await runtime.in_db(
            File.objects.filter(pk=pk, next_look_at__isnull=False).update, next_look_at=timezone.now()
        )
        for each in await runtime.in_db(file_worker.claim_due, 10):
            await file_worker.look_after(each)
        found = await runtime.in_db(File.objects.get, pk=pk)
        return found if found.state != State.PROCESSING else None

    return await until(look)
