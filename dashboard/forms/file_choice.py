"""A file that a form offers."""

from __future__ import annotations

from dataclasses import dataclass

from executions.models import File


@dataclass(frozen=True)
class Candidate:
    file: File
    chosen: bool = False
