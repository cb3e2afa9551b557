"""Signs the summaries of pruned events, and verifies them."""

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
    """The last event that valid summaries cover, and the first problem found; empty when all are valid."""
    end = GENESIS
    for summary in Summary.objects.order_by("first_position"):
        if not encryption.is_signed(_text(summary), summary.signature):
            return end, f"The summary of {summary} is not signed with any of our keys."
        if summary.first_position != end.position + 1 or summary.previous_hash != end.hash:
            return end, f"The summary of {summary} does not continue from the one before it."
        end = Head(summary.last_position, summary.last_hash)
    return end, ""


def _text(summary: Summary) -> str:
    return json.dumps(summary.signed_values(), sort_keys=True, default=_to_json)


def _to_json(value: object) -> str:
    assert isinstance(value, datetime), value
    return value.isoformat(timespec="microseconds")
