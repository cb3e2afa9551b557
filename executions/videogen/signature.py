"""Verifies that VideoGen sent a delivery: Standard Webhooks, version v1 (docs/api-notes.md#webhook-signature).

The package's own `Webhook.verify` is not used: it decodes the body as text before it has checked it, compares with
the wall clock only, and fails with a ValueError on a signature header without a comma. Its HMAC is.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from standardwebhooks.webhooks import hmac_data

TOLERANCE = 300
"""Seconds that a delivery's timestamp may be off, either way."""
LONGEST_WEBHOOK_ID = 255

_SECRET_PREFIX = "whsec_"
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class Reason(StrEnum):
    MISSING_HEADER = "missing_header"
    """One of the three headers is absent, or cannot be one."""
    BAD_TIMESTAMP = "bad_timestamp"
    STALE = "stale"
    """Too old, or too far ahead: replayed, or a clock is wrong."""
    NO_MATCH = "no_match"
    NO_SECRET = "no_secret"
    """We have no secret to check with: a fault of ours, not of the sender."""


_WORDS = {
    Reason.MISSING_HEADER: "A webhook-id, webhook-timestamp or webhook-signature header is missing or unreadable.",
    Reason.BAD_TIMESTAMP: "The webhook-timestamp is not a time.",
    Reason.STALE: f"The webhook-timestamp is more than {TOLERANCE} seconds away from our clock.",
    Reason.NO_MATCH: "No signature matches the delivery.",
    Reason.NO_SECRET: "There is no signing secret to verify with.",
}


class BadSignature(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(_WORDS[reason])
        self.reason = reason


@dataclass(frozen=True)
class VerifiedDelivery:
    webhook_id: str
    """The same for every attempt of one message."""
    timestamp: int
    """Unix seconds at which this attempt was signed."""


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float | None = None
) -> VerifiedDelivery:
    """Check the raw body against any of `secrets`. `now`: Unix seconds. Raises BadSignature, and nothing else."""
    outcome = _check(headers, body, secrets, time.time() if now is None else now)
    # What is raised here may be logged together with the frame's variables.
    del secrets
    if isinstance(outcome, Reason):
        raise BadSignature(outcome)
    return outcome


def _check(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float
) -> VerifiedDelivery | Reason:
    named = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp, signatures = (
        named.get(name, "").strip() for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (webhook_id and timestamp and signatures):
        return Reason.MISSING_HEADER
    if not webhook_id.isascii() or len(webhook_id) > LONGEST_WEBHOOK_ID:
        return Reason.MISSING_HEADER
    keys = [key for secret in secrets if (key := _key(secret))]
    if not keys:
        return Reason.NO_SECRET
    if not _TIMESTAMP.fullmatch(timestamp):
        return Reason.BAD_TIMESTAMP
    if abs(now - int(timestamp)) > TOLERANCE:
        return Reason.STALE
    message = b".".join((webhook_id.encode(), timestamp.encode(), body))
    expected = [base64.b64encode(hmac_data(key, message)) for key in keys]
    given = [entry[3:].encode("utf-8", "replace") for entry in signatures.split() if entry.startswith("v1,")]
    # Every pair is compared, so that the time taken says nothing about which one matched.
    matches = [hmac.compare_digest(right, candidate) for right in expected for candidate in given]
    return VerifiedDelivery(webhook_id, int(timestamp)) if any(matches) else Reason.NO_MATCH


def _key(secret: str) -> bytes | None:
    """The HMAC key in a secret; None where there is none."""
    try:
        # Secrets are also seen without padding; surplus padding is ignored.
        return base64.b64decode(secret.strip().removeprefix(_SECRET_PREFIX) + "==") or None
    except (ValueError, binascii.Error):
        return None
