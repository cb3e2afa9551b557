"""What every call passes before and after its handler: faults, the key, the rate limit, in this order (docs/api-notes.md#rate-limits)."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.answer import Answer
from sandbox.connection import cut, cut_short
from sandbox.distort import instead, spoil
from sandbox.errors import ApiError, missing_key, rate_limited, wrong_key
from sandbox.faults import Fault, Faults
from sandbox.limits import Group, Limits, Window, group_of

log = logging.getLogger("sandbox")


class Gate:
    """The outermost layer of the application.

    ``age`` tells how many seconds ago the thing that a path names was made, for the fault "unknown at first".
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
            await self._control(scope, receive, send)
        else:
            await self._outside(scope, receive, send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The control interface answers this machine only, and no page of a foreign site."""
        if is_local(scope):
            await self._app(scope, receive, send)
        else:
            body = {"message": "The sandbox takes orders from its own machine only."}
            await Answer.of(ApiError(403, body)).send(send)

    async def _outside(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["path"].startswith("/v1/")
        struck = self._faults.for_request(scope["method"], scope["path"])
        for fault in struck:
            if fault.kind == "slow":
                await asyncio.sleep(fault.options["seconds"])
        if any(fault.kind == "lost_before" for fault in struck):
            await cut(scope, receive)
            return
        answer = self._made_up(struck, scope["path"])
        if answer is None and not is_api:
            # Media and uploads are streams with signed URLs: no key, no limit, nothing to spoil.
            for fault in struck:
                if fault.kind == "cut":
                    receive, send = cut_short(scope, receive, send, fault.options["bytes"])
            await self._app(scope, receive, send)
            return
        if answer is None:
            answer = await self._handled(scope, receive)
            for fault in struck:
                answer = spoil(fault, answer)
        elif is_api and answer.with_limits:
            answer.headers = {**self._window(scope).headers, **answer.headers}
        if any(fault.kind == "lost_after" for fault in struck):
            await cut(scope, receive)
        else:
            answer.headers["x-request-id"] = f"req_{time.time_ns():x}"
            await answer.send(send)

    def _made_up(self, struck: list[Fault], path: str) -> Answer | None:
        made_up = (instead(fault, self._age(path)) for fault in struck)
        return next((answer for answer in made_up if answer is not None), None)

    async def _handled(self, scope: Scope, receive: Receive) -> Answer:
        """Key, then limit, then the handler; refused calls count too."""
        group = group_of(scope["method"], scope["path"])
        window = self._limits.untouched(group)
        try:
            key = self._authenticated(scope)
            window, allowed = self._limits.spend(key, group)
            if not allowed:
                raise rate_limited()
            scope.setdefault("state", {})["key"] = key
            answer = await self._run(scope, receive)
        except ApiError as error:
            answer = Answer.of(error)
        answer.headers = {**window.headers, **answer.headers}
        return answer

    async def _run(self, scope: Scope, receive: Receive) -> Answer:
        answer = Answer()
        try:
            await self._app(scope, receive, answer.collector())
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            body = {"message": "Something went wrong on our side.", "internalErrorCode": "SBX-5000"}
            raise ApiError(500, body) from None
        return answer

    def _window(self, scope: Scope) -> Window:
        group: Group = group_of(scope["method"], scope["path"])
        return self._limits.untouched(group)

    def _authenticated(self, scope: Scope) -> str:
        """The configured key that the caller sent."""
        scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
        sent = token.strip().encode()
        if scheme.lower() != "bearer" or not sent:
            raise missing_key()
        for key in self._keys:
            if hmac.compare_digest(key.encode(), sent):
                return key
        raise wrong_key()


def is_local(scope: Scope) -> bool:
    """From loopback, and addressed by a loopback name (a foreign page could point its own name at us)."""
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
