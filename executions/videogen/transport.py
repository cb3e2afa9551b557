"""One HTTP request and its response: sent once, read up to a size limit, with failures raised as errors of errors.py.

Exceptions of the HTTP library never leave this module: their frames' variables contain the request headers and thus
the API key, which a log with variables would reveal.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from executions.videogen.auth import BearerAuth
from executions.videogen.errors import MalformedResponse, ResponseLost, Unreachable, VideoGenError
from executions.videogen.http_client import http_client

# Seconds until idle connections are closed. Many servers and load balancers close them after five. A start sent on a
# connection that is being closed at that moment gets no response, and may not be sent again.
KEEPALIVE = 4.0
MAX_CONNECTIONS = 50
# The body of a longer error response is dropped; its status alone decides the error.
MAX_ERROR_BYTES = 64 * 1024

# Raised before the first byte of the request is sent.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def trusts_proxy(host: str | None) -> bool:
    """A proxy from the environment is for the internet, not for a service on this machine."""
    return host not in _LOOPBACK


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `read` and `write` limit the time between two chunks, `total` one attempt, from sending to the last byte."""

    connect: float = 5
    read: float = 30
    write: float = 30
    pool: float = 10
    total: float = 40


@dataclass(frozen=True)
class Response:
    """`body` is None if it could not be read: too long, cut off or badly compressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        request_id = self.headers.get("x-request-id", "")
        is_valid = 0 < len(request_id) <= 200 and request_id.isascii() and request_id.isprintable()
        return request_id if is_valid else None


class _BodyError(Exception):
    """The body cannot be read; `str()` completes the sentence "VideoGen's response ..."."""


class Transport:
    """A connection pool for one base URL and API key. It belongs to the event loop that uses it first."""

    def __init__(self, auth: BearerAuth, base_url: str, timeouts: Timeouts, max_response_bytes: int) -> None:
        self.base_url = checked_base_url(base_url)
        self._timeouts = timeouts
        self._limit = max_response_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        host = urlsplit(self.base_url).hostname or ""
        self._host = host
        self._http = http_client(
            auth=auth,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "rushes"},
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool
            ),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE),
            follow_redirects=False,
            trust_env=trusts_proxy(host),
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        """Send once. Raises only Unreachable, ResponseLost, MalformedResponse and CancelledError, and RuntimeError if the
        client is closed or belongs to another loop.
        """
        self._check_loop()
        status: int | None = None
        result: Response | None = None
        failure: VideoGenError | None = None
        request = self._http.build_request(
            method,
            self.base_url + path,
            params=query,
            content=body,
            headers={"Content-Type": "application/json"} if body is not None else None,
        )
        try:
            async with asyncio.timeout(self._timeouts.total):
                response = await self._http.send(request, stream=True)
                try:
                    status, result = (
                        response.status_code,
                        Response(response.status_code, response.headers, None),
                    )
                    limit = self._limit if result.is_success else min(self._limit, MAX_ERROR_BYTES)
                    result = Response(status, response.headers, await _read(response, limit))
                finally:
                    await response.aclose()
        except asyncio.CancelledError as cancelled:
            raise cancelled.with_traceback(None) from None
        except _BodyError as error:
            failure = MalformedResponse(
                f"VideoGen's response {error}.", status=status, request_id=_request_id(result)
            )
        except Exception as error:
            failure = self._to_error(error, status, _request_id(result))
        # Raised outside the handler, so that the error has no reference to the library's frames.
        if failure is not None and (result is None or result.is_success):
            raise failure
        if result is None:
            raise ResponseLost("VideoGen's response was lost.")
        return result

    def _check_loop(self) -> None:
        if self._http.is_closed:
            raise RuntimeError("This VideoGen client is closed.")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            # Its connections are bound to the other loop. Raised here, before a start is sent whose outcome is lost.
            raise RuntimeError("This VideoGen client belongs to another event loop. Create one per loop.")

    def _to_error(self, error: Exception, status: int | None, request_id: str | None) -> VideoGenError:
        if status is None and isinstance(error, _NEVER_SENT):
            return Unreachable(f"VideoGen cannot be reached at {self._host}: {_unreachable_reason(error)}.")
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            message = "VideoGen did not respond in time."
        elif status is not None:
            message = "The connection to VideoGen was lost during its response."
        elif isinstance(error, httpx.TransportError):
            message = "The connection to VideoGen was lost before it responded."
        else:
            # An unexpected error of the library: whether the request was sent is unknown.
            message = f"The call to VideoGen failed ({type(error).__name__})."
        return ResponseLost(message, status=status, request_id=request_id)


def _request_id(result: Response | None) -> str | None:
    return result.request_id if result else None


def _unreachable_reason(error: Exception) -> str:
    match error:
        case httpx.ConnectTimeout():
            return "no connection in time"
        case httpx.PoolTimeout():
            return "all our connections are in use"
        case httpx.ProxyError():
            return "the proxy rejected the connection"
    return " ".join(str(error).split()).rstrip(".")[:200] or "no connection"


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, decompressed here with a limit: the library would decompress a whole chunk, however large it becomes."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise _BodyError("has a content encoding that was not requested")
    decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
    too_long = _BodyError(f"is longer than {limit:,} bytes")
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise too_long
    body = bytearray()
    received = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if received > limit:
            raise too_long
        try:
            body += decompressor.decompress(chunk, limit + 1 - len(body)) if decompressor else chunk
        except zlib.error:
            raise _BodyError("is not valid gzip data") from None
        if len(body) > limit:
            raise too_long
    if decompressor and received and not decompressor.eof:
        raise _BodyError("is not valid gzip data")
    return bytes(body)


def checked_base_url(base_url: str) -> str:
    """The base URL without a trailing slash. Raises ValueError if it is invalid."""
    address = base_url.strip()
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("The base URL must start with https:// (or http://) and contain a host.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("The base URL must not contain a user, a query or a fragment.")
    if not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError("The base URL contains an invalid character.")
    _ = parts.port  # raises ValueError for an invalid port
    return address.rstrip("/")
