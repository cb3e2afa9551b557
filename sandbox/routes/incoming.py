"""The upload endpoint: one PUT of raw bytes to a signed URL, without an API key."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from sandbox.errors import ApiError, storage_error
from sandbox.services import services_of

router = APIRouter(prefix="/incoming")

_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag"}
_MAX_DRAINED_BYTES = 32 * 1024 * 1024
"""Bytes of a rejected upload that are still read: a client whose connection breaks does not see the error response."""


@router.put("/{file_id}")
async def receive_upload(request: Request, file_id: str) -> Response:
    services = services_of(request)
    query = request.query_params
    body = Body(request)
    try:
        if not services.signer.is_valid(request.url.path, query.get("expires", ""), query.get("sig", "")):
            raise storage_error(403, "This upload URL has expired or is invalid.")
        content_type = request.headers.get("content-type", "")
        await services.uploads.receive(file_id, content_type, _length(request), body.chunks())
    except ClientDisconnect:
        # The client is gone, so the response is never read.
        return Response(status_code=400)
    except ApiError as error:
        await body.drain()
        error.headers |= _CORS
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
    """The bytes of a request as they arrive. Raises ClientDisconnect if the request is incomplete."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._is_complete = False

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._is_complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._is_complete = True
                raise ClientDisconnect()
            self._is_complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def drain(self) -> None:
        """Read and discard the rest, up to a limit."""
        remaining = _MAX_DRAINED_BYTES
        with contextlib.suppress(ClientDisconnect):
            async for chunk in self.chunks():
                remaining -= len(chunk)
                if remaining < 0:
                    return
