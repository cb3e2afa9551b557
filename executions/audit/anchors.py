"""Anchors: the head of the chain, published to a file or the log, out of reach of those who can write to the database."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from executions.audit.hash_chain import Head, head

logger = logging.getLogger(__name__)


class AnchorFileError(Exception):
    """An anchor file cannot be used; the message says why."""


@dataclass
class _LastPublished:
    position: int = 0


_last_published = _LastPublished()


def publish() -> None:
    """Publish the head, unless this process has published it already. Raises OSError."""
    current = head()
    if current.position == _last_published.position or not current.position:
        return
    if settings.AUDIT_ANCHOR_FILE:
        append(Path(settings.AUDIT_ANCHOR_FILE), current)
    else:
        logger.info("Head of the audit log: %s", format_line(current))
    _last_published.position = current.position


def format_line(anchor: Head) -> str:
    """An anchor as a line of a file: the current time, the position, the hash."""
    return f"{timezone.now().isoformat(timespec='seconds')} {anchor.position} {anchor.hash}"


def append(path: Path, anchor: Head) -> None:
    """Append a line to the file. Raises OSError."""
    with path.open("a", encoding="ascii") as file:
        file.write(f"{format_line(anchor)}\n")


def read(path: Path) -> list[Head]:
    """All anchors in a file. Raises AnchorFileError."""
    anchors = []
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnchorFileError(f"{path} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) < 2 or not parts[-2].isdecimal() or len(parts[-1]) != 64:
            raise AnchorFileError(
                f"Line {number} of {path} is not an anchor: expected a time, a position and a hash."
            )
        anchors.append(Head(int(parts[-2]), parts[-1]))
    if not anchors:
        raise AnchorFileError(f"{path} contains no anchor.")
    return anchors
