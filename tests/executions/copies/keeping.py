"""Copies, made as the background makes them, one step at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from executions import policy
from executions.copies import requests as copy_requests
from executions.copies import worker as copy_worker
from executions.core import runtime
from executions.models import File, Keeping


async def tried(file: File) -> File:
    """The file after one try at its copy, which is due now."""
    await runtime.in_db(Keeping.objects.filter(file=file).update, due_at=timezone.now())
    [mine] = await runtime.in_db(copy_requests.claim_due, 1)
    assert mine.file_id == file.pk
    await copy_worker.make(mine)
    return await again(file)


async def kept(file: File, actor: Any = policy.SYSTEM) -> File:
    """The file with its copy."""
    assert await runtime.in_db(copy_requests.ask, file, actor)
    file = await tried(file)
    assert file.kept_at is not None, await wish(file)
    return file


async def again(file: File) -> File:
    return await runtime.in_db(File.objects.get, pk=file.pk)


async def wish(file: File) -> Any:
    """The row of a copy that is not there yet, as a dictionary; None where there is none."""
    return await runtime.in_db(lambda: Keeping.objects.filter(file=file).values().first())


def lying_about() -> list[str]:
    """Every file in the folder of copies, parts among them."""
    folder = Path(settings.KEEP_FOLDER)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
