"""The receiver of VideoGen's webhooks: verifies the raw body, stores and applies the event, then acknowledges it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, DataError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from dashboard.http.metrics import DELIVERIES
from executions.core import runtime
from executions.videogen import BadSignature, MalformedEvent, Reason, VerifiedDelivery, parse_event, verify
from executions.webhooks import ingest, rejections, signing_secrets
from executions.webhooks.write_batcher import write_batcher

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
SIGNED_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
# Seconds. After 15 without a response, VideoGen counts the delivery as failed (docs/api-notes.md#webhook-delivery). A
# locked database may delay a writer for longer than that, so respond with 503 while VideoGen still waits.
RESPONSE_TIMEOUT = 12.0


@login_not_required
@csrf_exempt
async def receive(request: HttpRequest) -> HttpResponse:
    """A write that is in progress at the timeout may still complete; VideoGen's next attempt is then a repeat."""
    try:
        async with asyncio.timeout(RESPONSE_TIMEOUT):
            return await _receive(request)
    except TimeoutError:
        logger.warning(
            "Delivery not stored within %.0f seconds; VideoGen will send it again", RESPONSE_TIMEOUT
        )
        return _unavailable()


async def _receive(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _reject(request, 405, "Send webhooks by POST.", Allow="POST")
    if _declared_length(request) > MAX_BODY_BYTES:
        return _reject(request, 413, "The body is larger than 1 MiB.")
    try:
        body = request.body
    except RequestDataTooBig:
        return _reject(request, 413, "The body is larger than 1 MiB.")
    if len(body) > MAX_BODY_BYTES:
        return _reject(request, 413, "The body is larger than 1 MiB.")
    headers = {name: request.headers[name] for name in SIGNED_HEADERS if name in request.headers}
    try:
        verified = await _verify(headers, body)
    except BadSignature as error:
        logger.info("Delivery with an invalid signature: %s", error)
        return _reject(request, 401, "Invalid signature.")
    except DatabaseError:
        return _unavailable()
    if (
        request.headers.get("content-encoding", "identity") != "identity"
        or request.content_type != "application/json"
    ):
        return _reject(request, 400, "The body must be plain application/json.")
    try:
        event = parse_event(body)
    except MalformedEvent as error:
        return _reject(request, 400, str(error))
    delivery = (verified.webhook_id, event, headers, body)
    try:
        outcome = await write_batcher().receive(*delivery)
    except DataError as error:
        logger.warning("Delivery contains data that the database cannot store: %s", error)
        return _reject(request, 400, "The body contains data that cannot be stored.")
    except DatabaseError:
        logger.exception("Could not store a delivery; VideoGen will send it again")
        return _unavailable()
    except Exception:
        # An error in Rushes may occur on every attempt; the delivery must not be lost when VideoGen gives up.
        logger.exception("Could not apply a delivery; stored as failed, and VideoGen will send it again")
        with suppress(DatabaseError):
            await runtime.in_db(ingest.store_failed, *delivery)
        return _unavailable()
    DELIVERIES.labels(outcome).inc()
    return JsonResponse({"outcome": outcome})


async def _verify(headers: dict[str, str], body: bytes) -> VerifiedDelivery:
    """Raises BadSignature and DatabaseError."""
    try:
        return verify(headers, body, await _known_secrets())
    except BadSignature as error:
        if error.reason not in (Reason.NO_MATCH, Reason.NO_SECRET) or not signing_secrets.clear_stale_cache():
            raise
    # Another process may have registered an endpoint since the secrets were read.
    return verify(headers, body, await _known_secrets())


async def _known_secrets() -> list[str]:
    known = signing_secrets.cached_secrets()
    return await runtime.in_reader(signing_secrets.all_secrets) if known is None else known


def _declared_length(request: HttpRequest) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() and declared.isascii() else 0


_flushes: set[asyncio.Task[None]] = set()
REJECTION_REASONS = {400: "unreadable", 401: "signature", 405: "method", 413: "too large"}


def _reject(request: HttpRequest, status: int, message: str, **headers: str) -> HttpResponse:
    """Count a rejected request, without storing it: a flood must not fill the disk."""
    body = request.body if status in (400, 401) else b""
    address = request.META.get("REMOTE_ADDR") or ""
    if rejections.is_due():
        flush = asyncio.create_task(runtime.in_db(rejections.flush))
        _flushes.add(flush)
        flush.add_done_callback(_flushes.discard)
    rejections.count(REJECTION_REASONS[status], address=address, length=_declared_length(request), body=body)
    return _response(status, message, **headers)


def _unavailable() -> HttpResponse:
    return _response(503, "The delivery could not be stored. Send it again.", **{"Retry-After": "5"})


def _response(status: int, message: str, **headers: str) -> HttpResponse:
    DELIVERIES.labels(f"refused {status}").inc()
    return JsonResponse({"message": message}, status=status, headers=headers)
