"""Steps of a copy, as the copy worker takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from executions import policy
from executions.copies import make_copy as copy_worker
from executions.copies import requests as copy_requests
from executions.core import runtime
from executions.models import CopyRequest, File


async def attempt(file: File) -> File:
    """Make the request due, run one attempt, and reload the file."""
    await runtime.in_db(CopyRequest.objects.filter(file=file).update, due_at=timezone.now())
    [mine] = await runtime.in_db(copy_requests.claim_due, 1)
    assert mine.file_id == file.pk
    await copy_worker.make(mine)
    return await reload(file)


async def make_copy(file: File, actor: Any = policy.SYSTEM) -> File:
    """Request and make a copy. Returns the file."""
    assert await runtime.in_db(copy_requests.request_copy, file, actor)
    file = await attempt(file)
    assert file.copied_at is not None, await request_row(file)
    return file


async def reload(file: File) -> File:
    return await runtime.in_db(File.objects.get, pk=file.pk)


async def request_row(file: File) -> Any:
    """The row of the file's copy request, as a dictionary; None if there is none."""
    return await runtime.in_db(lambda: CopyRequest.objects.filter(file=file).values().first())


def stored_files() -> list[str]:
    """All files in the folder of copies, including parts."""
    folder = Path(settings.KEEP_FOLDER)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
