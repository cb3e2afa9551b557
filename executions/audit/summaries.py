"""Summaries of what was pruned: how they are signed, and whether they hold."""

from __future__ import annotations

import json
from datetime import datetime

from executions.audit.hash_chain import GENESIS, Head
from executions.core import encryption
from executions.models import Summary


def signed(summary: Summary) -> Summary:
    summary.signature = encryption.sign(_text(summary))
    return summary


def check() -> tuple[Head, str]:
    """Where the summaries lead to, and what is wrong with them; empty when they hold."""
    at = GENESIS
    for summary in Summary.objects.order_by("first_position"):
        if not encryption.is_signed(_text(summary), summary.signature):
            return at, f"The summary of {summary} is not signed with any of our keys."
        if summary.first_position != at.position + 1 or summary.previous_hash != at.hash:
            return at, f"The summary of {summary} does not go on where the one before it ends."
        at = Head(summary.last_position, summary.last_hash)
    return at, ""


def _text(summary: Summary) -> str:
    return json.dumps(summary.says(), sort_keys=True, default=_plain)


def _plain(value: object) -> str:
    assert isinstance(value, datetime), value
    return value.isoformat(timespec="microseconds")
