"""The signing secrets that a delivery may be verified with: those configured, and those of our own endpoints."""

from __future__ import annotations

import logging
import time

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from executions.core import encryption
from executions.models import WebhookEndpoint

logger = logging.getLogger(__name__)

# Seconds that the endpoints' secrets are remembered; a new one is known at once in the process that made it.
FRESH = 30.0
# Seconds after which a signature that fits none of them lets us look again: another process may have rotated.
DOUBT = 1.0
_cached: tuple[float, list[str]] | None = None


def all_secrets() -> list[str]:
    """Reads the database now and then: call it where that is allowed."""
    global _cached
    if _cached is None or time.monotonic() - _cached[0] > FRESH:
        _cached = (time.monotonic(), _of_endpoints())
    return [*settings.VIDEOGEN_WEBHOOK_SECRETS, *_cached[1]]


def remembered() -> list[str] | None:
    """The same without the database; None when it would have to be asked."""
    if _cached is None or time.monotonic() - _cached[0] > FRESH:
        return None
    return [*settings.VIDEOGEN_WEBHOOK_SECRETS, *_cached[1]]


def forget() -> None:
    """Read the endpoints again at the next delivery."""
    global _cached
    _cached = None


def forget_if_old() -> bool:
    """Forget what was read more than DOUBT ago. True when the next delivery finds out anew; a flood costs little."""
    if _cached is None or time.monotonic() - _cached[0] <= DOUBT:
        return False
    forget()
    return True


def any_configured() -> bool:
    return bool(all_secrets())


def _of_endpoints() -> list[str]:
    found = []
    for endpoint in WebhookEndpoint.objects.filter(
        Q(verifies_until=None) | Q(verifies_until__gt=timezone.now())
    ):
        try:
            found.append(endpoint.secret)
        except encryption.Unreadable as error:
            logger.error("The webhook endpoint %s cannot verify anything: %s", endpoint.url, error)
    return found
