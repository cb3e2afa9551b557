"""Anchors: the chain's head, told to a file or to the log, where whoever can write the database cannot change it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from executions.audit.hash_chain import Head, head

logger = logging.getLogger(__name__)


class Unreadable(Exception):
    """An anchor's file cannot be used; the message says why."""


@dataclass
class _Told:
    position: int = 0


_told = _Told()


def tell() -> None:
    """Write the head out, unless it has been told by this process before."""
    now = head()
    if now.position == _told.position or not now.position:
        return
    if settings.AUDIT_ANCHOR_FILE:
        write(Path(settings.AUDIT_ANCHOR_FILE), now)
    else:
        logger.info("The record's head is %s", line(now))
    _told.position = now.position


def line(at: Head) -> str:
    """An anchor as it stands in a file: when it was told, the position, the hash."""
    return f"{timezone.now().isoformat(timespec='seconds')} {at.position} {at.hash}"


def write(path: Path, at: Head) -> None:
    """Add a line to the file. Raises OSError."""
    with path.open("a", encoding="ascii") as file:
        file.write(f"{line(at)}\n")


def read(path: Path) -> list[Head]:
    """All anchors of a file. Raises Unreadable."""
    found = []
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None
    for number, each in enumerate(lines, 1):
        words = each.split()
        if not words:
            continue
        if len(words) < 2 or not words[-2].isdecimal() or len(words[-1]) != 64:
            raise Unreadable(
                f"Line {number} of {path} is no anchor: a time, a position and a hash are wanted."
            )
        found.append(Head(int(words[-2]), words[-1]))
    if not found:
        raise Unreadable(f"{path} has no anchor in it.")
    return found
