"""A file offered in a form's file field."""

from __future__ import annotations

from dataclasses import dataclass

from executions.models import File


@dataclass(frozen=True)
class Candidate:
    file: File
    chosen: bool = False
