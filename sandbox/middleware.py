"""Middleware of all calls: faults, API key and rate limit, in this order (docs/api-notes.md#rate-limits)."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.connection import drop, drop_after
from sandbox.errors import ApiError, invalid_key, missing_key, rate_limited
from sandbox.fault_responses import alter_response, replacement_response
from sandbox.faults import Fault, Faults
from sandbox.limits import Group, Limits, Window, group_of
from sandbox.response import BufferedResponse

log = logging.getLogger("sandbox")


class ApiMiddleware:
    """The outermost ASGI layer of the application.

    ``age``: returns the seconds since the object in a path was created, for the fault ``not_found``.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Sequence[str],
        limits: Limits,
        faults: Faults,
        age: Callable[[str], float | None],
    ) -> None:
        self._app = app
        self._keys = tuple(keys)
        self._limits = limits
        self._faults = faults
        self._age = age

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith("/sandbox"):
            await self._handle_control(scope, receive, send)
        else:
            await self._handle_public(scope, receive, send)

    async def _handle_control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept calls to the control interface only from this machine, and not from pages of other sites."""
        if is_local(scope):
            await self._app(scope, receive, send)
        else:
            body = {"message": "The control interface accepts calls from the same machine only."}
            await BufferedResponse.from_error(ApiError(403, body)).send(send)

    async def _handle_public(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["path"].startswith("/v1/")
        faults = self._faults.for_request(scope["method"], scope["path"])
        for fault in faults:
            if fault.kind == "slow":
                await asyncio.sleep(fault.options["seconds"])
        if any(fault.kind == "lost_before" for fault in faults):
            await drop(scope, receive)
            return
        response = self._replacement(faults, scope["path"])
        if response is None and not is_api:
            # Media and uploads are streams with signed URLs: no key, no rate limit, no altered responses.
            for fault in faults:
                if fault.kind == "cut":
                    receive, send = drop_after(scope, receive, send, fault.options["bytes"])
            await self._app(scope, receive, send)
            return
        if response is None:
            response = await self._handle_api_call(scope, receive)
            for fault in faults:
                response = alter_response(fault, response)
        elif is_api and response.with_rate_limits:
            response.headers = {**self._window(scope).headers, **response.headers}
        if any(fault.kind == "lost_after" for fault in faults):
            await drop(scope, receive)
        else:
            response.headers["x-request-id"] = f"req_{time.time_ns():x}"
            await response.send(send)

    def _replacement(self, faults: list[Fault], path: str) -> BufferedResponse | None:
        responses = (replacement_response(fault, self._age(path)) for fault in faults)
        return next((response for response in responses if response is not None), None)

    async def _handle_api_call(self, scope: Scope, receive: Receive) -> BufferedResponse:
        """Check the key, then the rate limit, then call the handler.

        Calls that the handler rejects count too; calls without a valid key do not.
        """
        group = group_of(scope["method"], scope["path"])
        window = self._limits.unused_window(group)
        try:
            key = self._authenticate(scope)
            window, allowed = self._limits.consume(key, group)
            if not allowed:
                raise rate_limited()
            scope.setdefault("state", {})["key"] = key
            response = await self._call_app(scope, receive)
        except ApiError as error:
            response = BufferedResponse.from_error(error)
        response.headers = {**window.headers, **response.headers}
        return response

    async def _call_app(self, scope: Scope, receive: Receive) -> BufferedResponse:
        response = BufferedResponse()
        try:
            await self._app(scope, receive, response.capture())
        except Exception:
            log.exception("%s %s: unexpected error", scope["method"], scope["path"])
            body = {"message": "Something went wrong on our side.", "internalErrorCode": "SBX-5000"}
            raise ApiError(500, body) from None
        return response

    def _window(self, scope: Scope) -> Window:
        group: Group = group_of(scope["method"], scope["path"])
        return self._limits.unused_window(group)

    def _authenticate(self, scope: Scope) -> str:
        """Return the API key that the client sent; raise a 401 if it is missing or invalid."""
        scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
        sent = token.strip().encode()
        if scheme.lower() != "bearer" or not sent:
            raise missing_key()
        for key in self._keys:
            if hmac.compare_digest(key.encode(), sent):
                return key
        raise invalid_key()


def is_local(scope: Scope) -> bool:
    """Whether client and Host header are both loopback. A foreign site could resolve its own name to us."""
    client = scope.get("client")
    if client is None or not _is_loopback(client[0]):
        return False
    host = (header(scope, b"host") or "").rsplit(":", 1)[0].strip("[]")
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)
