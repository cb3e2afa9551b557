"""Verifies that VideoGen signed a delivery: Standard Webhooks, version v1 (docs/api-notes.md#webhook-signature).

Uses the package's HMAC, but not its `Webhook.verify`: that decodes the body as text before checking it, compares with
the wall clock only, and raises ValueError for a signature header without a comma.
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
"""Seconds by which a delivery's timestamp may differ from our clock, in either direction."""
MAX_WEBHOOK_ID_LENGTH = 255

_SECRET_PREFIX = "whsec_"
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class Reason(StrEnum):
    MISSING_HEADER = "missing_header"
    """One of the three headers is missing or invalid."""
    BAD_TIMESTAMP = "bad_timestamp"
    STALE = "stale"
    """Too old, or too far in the future: the delivery was replayed, or a clock is wrong."""
    NO_MATCH = "no_match"
    NO_SECRET = "no_secret"
    """We have no signing secret: our fault, not the sender's."""


_MESSAGES = {
    Reason.MISSING_HEADER: "A webhook-id, webhook-timestamp or webhook-signature header is missing or invalid.",
    Reason.BAD_TIMESTAMP: "The webhook-timestamp is not a valid time.",
    Reason.STALE: f"The webhook-timestamp is more than {TOLERANCE} seconds off our clock.",
    Reason.NO_MATCH: "No signature matches the delivery.",
    Reason.NO_SECRET: "No signing secret is configured.",
}


class BadSignature(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason


@dataclass(frozen=True)
class VerifiedDelivery:
    webhook_id: str
    """The same for all attempts of one message."""
    timestamp: int
    """When this attempt was signed, in Unix seconds."""


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float | None = None
) -> VerifiedDelivery:
    """Verify the raw body with any of `secrets`. `now`: Unix seconds. Raises only BadSignature."""
    outcome = _check(headers, body, secrets, time.time() if now is None else now)
    # Errors raised here may be logged together with the variables of this frame.
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
    if not webhook_id.isascii() or len(webhook_id) > MAX_WEBHOOK_ID_LENGTH:
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
    # All pairs are compared, so that the time taken does not reveal which one matched.
    matches = [hmac.compare_digest(right, candidate) for right in expected for candidate in given]
    return VerifiedDelivery(webhook_id, int(timestamp)) if any(matches) else Reason.NO_MATCH


def _key(secret: str) -> bytes | None:
    """The HMAC key in a secret, or None if it contains none."""
    try:
        # Some secrets have no padding; surplus padding is ignored.
        return base64.b64decode(secret.strip().removeprefix(_SECRET_PREFIX) + "==") or None
    except (ValueError, binascii.Error):
        return None
