"""Files of the account, as the database knows them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from executions.models import File


def file(remote_id: str = "", **columns: Any) -> File:
    """A file of an hour ago: of one that is new a 404 is not believed."""
    known_since = {"created_at": timezone.now() - timedelta(hours=1)}
    remote_id = remote_id or f"vg_file_{uuid.uuid4().hex}"
    return File.objects.create(remote_id=remote_id, **{**known_since, **columns})


def ready_file(name: str = "harbour", *, media: str = "IMAGE", remote_id: str = "") -> File:
    """A file that a row of a batch can name."""
    return file(remote_id or f"vg_file_{name}", type=media, display_name=name, state="ready")
