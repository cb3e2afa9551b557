"""The signing secrets that may verify a delivery: the configured ones, and those of our endpoints."""

from __future__ import annotations

import logging
import time

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from executions.core import encryption
from executions.models import WebhookEndpoint

logger = logging.getLogger(__name__)

# Seconds that the secrets of the endpoints are cached. The process that registers an endpoint clears its cache.
CACHE_TTL = 30.0
# Minimum age in seconds at which a signature that matches no secret clears the cache: another process may have rotated.
MIN_RELOAD_AGE = 1.0
_cached: tuple[float, list[str]] | None = None


def all_secrets() -> list[str]:
    """All secrets. Queries the database when the cache has expired, so call it only where that is allowed."""
    global _cached
    if _cached is None or time.monotonic() - _cached[0] > CACHE_TTL:
        _cached = (time.monotonic(), _read_endpoints())
    return [*settings.VIDEOGEN_WEBHOOK_SECRETS, *_cached[1]]


def cached_secrets() -> list[str] | None:
    """All secrets, without a query. None when the cache has expired."""
    if _cached is None or time.monotonic() - _cached[0] > CACHE_TTL:
        return None
    return [*settings.VIDEOGEN_WEBHOOK_SECRETS, *_cached[1]]


def clear_cache() -> None:
    """Make the next delivery read the endpoints again."""
    global _cached
    _cached = None


def clear_stale_cache() -> bool:
    """Clear a cache older than MIN_RELOAD_AGE. Returns whether it did. The limit keeps a flood of bad signatures cheap."""
    if _cached is None or time.monotonic() - _cached[0] <= MIN_RELOAD_AGE:
        return False
    clear_cache()
    return True


def any_configured() -> bool:
    return bool(all_secrets())


def _read_endpoints() -> list[str]:
    secrets = []
    for endpoint in WebhookEndpoint.objects.filter(
        Q(verifies_until=None) | Q(verifies_until__gt=timezone.now())
    ):
        try:
            secrets.append(endpoint.secret)
        except encryption.DecryptionError as error:
            logger.error(
                "The secret of webhook endpoint %s cannot be decrypted, so it verifies nothing: %s",
                endpoint.url,
                error,
            )
    return secrets
