"""Middleware: static files under ASGI, the client's address, and when a person was last seen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import sync_and_async_middleware
from whitenoise.middleware import WhiteNoiseMiddleware

from dashboard.http.client_ip import client_address
from executions import policy
from executions.core import request_context
from executions.team import members

logger = logging.getLogger(__name__)

# The next handler, sync or async.
Next = Callable[[HttpRequest], Any]


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise without streaming, which warns or hangs under ASGI.

    Static files are small, precompressed, and cached by browsers for ever, so whole responses are fine.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        answer = static_file.get_response(request.method, request.META)
        content = answer.file.read() if answer.file is not None else b""
        if answer.file is not None:
            answer.file.close()
        response = HttpResponse(content, status=int(answer.status))
        response.headers.pop("Content-Type", None)
        for name, value in answer.headers:
            response[name] = value
        return response


@sync_and_async_middleware
def where_from(get_response: Next) -> Next:
    """Store the client's address with events that are written during the request."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponse:
            with request_context.from_address(client_address(request)):
                response: HttpResponse = await get_response(request)
            return response

        return answer_later

    def answer(request: HttpRequest) -> HttpResponse:
        with request_context.from_address(client_address(request)):
            response: HttpResponse = get_response(request)
        return response

    return answer


@sync_and_async_middleware
def refusals(get_response: Next) -> Next:
    """Respond with 403 to every action that the policy refuses."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponse:
            response: HttpResponse = await get_response(request)
            return response

        answer_later.process_exception = _refused  # type: ignore[attr-defined]
        return answer_later

    def answer(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        return response

    answer.process_exception = _refused  # type: ignore[attr-defined]
    return answer


def _refused(request: HttpRequest, error: Exception) -> HttpResponse | None:
    if isinstance(error, policy.NotAllowed):
        return render(request, "403.html", {"reason": str(error)}, status=403)
    return None


# Seconds between two updates of a person's last visit.
SEEN_INTERVAL = 300.0
_noted: dict[int, float] = {}


@sync_and_async_middleware
def seen(get_response: Next) -> Next:
    """Update the person's last visit, at most every SEEN_INTERVAL seconds."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponse:
            response: HttpResponse = await get_response(request)
            if (person := _person(request)) is not None and _is_due(person):
                await sync_to_async(_note)(person)
            return response

        return answer_later

    def answer(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        if (person := _person(request)) is not None and _is_due(person):
            _note(person)
        return response

    return answer


def _person(request: HttpRequest) -> int | None:
    """The signed-in person who opened this page. Async views are ignored: pages call them on their own."""
    match = request.resolver_match
    if match is None or iscoroutinefunction(match.func) or not getattr(match.func, "login_required", True):
        return None
    # Only if the view has already loaded the user: an event loop must not query the database here.
    # After signing out, the cached user remains but request.user is anonymous.
    return request.user.pk if hasattr(request, "_cached_user") else None


def _is_due(user_id: int) -> bool:
    now = time.monotonic()
    if now - _noted.get(user_id, -SEEN_INTERVAL) < SEEN_INTERVAL:
        return False
    _noted[user_id] = now
    return True


def _note(user_id: int) -> None:
    try:
        members.seen(user_id)
    except DatabaseError as error:
        logger.warning("Could not store the last visit of user %d: %s", user_id, error)
