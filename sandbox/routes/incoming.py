"""The target of uploads: one PUT of raw bytes to a signed URL, without an API key."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from sandbox.errors import ApiError, storage_refusal
from sandbox.world import world_of

router = APIRouter(prefix="/incoming")

_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag"}
_SWALLOWED = 32 * 1024 * 1024
"""So many bytes of a refused upload are still read: whose connection breaks while sending sees no refusal."""


@router.put("/{file_id}")
async def receive_upload(request: Request, file_id: str) -> Response:
    world = world_of(request)
    query = request.query_params
    body = Body(request)
    try:
        if not world.signer.is_valid(request.url.path, query.get("expires", ""), query.get("sig", "")):
            raise storage_refusal(403, "This upload address has expired or was not made here.")
        kind = request.headers.get("content-type", "")
        await world.uploads.receive(file_id, kind, _length(request), body.chunks())
    except ClientDisconnect:
        # Nobody is left to read this.
        return Response(status_code=400)
    except ApiError as refusal:
        await body.swallow()
        refusal.headers |= _CORS
        raise
    return Response(status_code=200, headers={"ETag": f'"{secrets.token_hex(16)}"', **_CORS})


@router.options("/{rest:path}")
async def allow_cross_origin(rest: str) -> Response:
    headers = {"Access-Control-Allow-Methods": "PUT", "Access-Control-Allow-Headers": "Content-Type"}
    return Response(status_code=204, headers=_CORS | headers)


def _length(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


class Body:
    """The bytes of a request as they come; raises ClientDisconnect when they stop half way."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._ended = True
                raise ClientDisconnect()
            self._ended = not message.get("more_body", False)
            yield message.get("body", b"")

    async def swallow(self) -> None:
        """Read on without a use, up to a limit."""
        left = _SWALLOWED
        with contextlib.suppress(ClientDisconnect):
            async for chunk in self.chunks():
                left -= len(chunk)
                if left < 0:
                    return
