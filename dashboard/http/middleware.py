"""Our own steps around a request: static files under ASGI, and where the request came from."""

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

# What answers a request: at once, or as something to be awaited.
Next = Callable[[HttpRequest], Any]


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, answering with whole files: its streamed ones warn, or hang, under ASGI.

    Our static files are small, compressed ahead, and kept by browsers for good.
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
    """Events that are written while a request is answered carry its address."""
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
    """An act that the policy refuses is a 403, wherever it was asked for."""
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


# Seconds between two notes of when somebody was here.
SEEN_EVERY = 300.0
_noted: dict[int, float] = {}


@sync_and_async_middleware
def seen(get_response: Next) -> Next:
    """Notes now and then that a person is here."""
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
    """The signed-in person who opened this page. Async views are what pages load by themselves."""
    match = request.resolver_match
    if match is None or iscoroutinefunction(match.func) or not getattr(match.func, "login_required", True):
        return None
    # Where nobody had to know who asks, as for an error, it is not found out here: an event loop may not ask the database.
    # Who has just signed out is still the cached one, and no longer the request's.
    return request.user.pk if hasattr(request, "_cached_user") else None


def _is_due(user_id: int) -> bool:
    now = time.monotonic()
    if now - _noted.get(user_id, -SEEN_EVERY) < SEEN_EVERY:
        return False
    _noted[user_id] = now
    return True


def _note(user_id: int) -> None:
    try:
        members.seen(user_id)
    except DatabaseError as error:
        logger.warning("That person %d was here could not be noted: %s", user_id, error)
