"""Files of the account, as rows of the database."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from executions.models import File


def file(remote_id: str = "", **columns: Any) -> File:
    """A file created an hour ago, because a 404 for a new file is ignored."""
    created = {"created_at": timezone.now() - timedelta(hours=1)}
    remote_id = remote_id or f"vg_file_{uuid.uuid4().hex}"
    return File.objects.create(remote_id=remote_id, **{**created, **columns})


def ready_file(
    name: str = "harbour", *, media: str = "IMAGE", remote_id: str = "", created_by: Any = None
) -> File:
    """A file that a batch row can refer to."""
    remote_id = remote_id or f"vg_file_{name}"
    return file(remote_id, type=media, display_name=name, state="ready", created_by=created_by)
