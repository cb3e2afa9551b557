"""One request and its answer over HTTP: sent once, read with a bound, and whatever goes wrong told as one of errors.py.

Exceptions of the HTTP library never leave this module: the variables of its frames hold the request's headers, and
with them the key, which a log that shows variables would print.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from executions.videogen.auth import BearerAuth
from executions.videogen.errors import AnswerLost, MalformedAnswer, Unreachable, VideoGenError

# Idle connections are given up after this many seconds: many servers and load balancers close them after five, and a
# start that leaves on a connection which is being closed at that moment has no answer and may not be sent again.
KEEPALIVE = 4.0
MOST_CONNECTIONS = 50
# No error needs more words.
LONGEST_REFUSAL = 64 * 1024

# Raised before the request's first byte can have left.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `read` and `write` bound the silence between two pieces, `total` the whole exchange."""

    connect: float = 5
    read: float = 30
    write: float = 30
    pool: float = 10
    total: float = 40


@dataclass(frozen=True)
class Answer:
    """`body` is None where there was one that could not be read (too long, cut, badly packed)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        found = self.headers.get("x-request-id", "")
        return found if 0 < len(found) <= 200 and found.isascii() and found.isprintable() else None


class _Flaw(Exception):
    """The body cannot be had; `str()` ends the sentence "VideoGen's answer ..."."""


class Exchange:
    """The connections to one service with one key. It belongs to the event loop that uses it first."""

    def __init__(self, auth: BearerAuth, base_url: str, timeouts: Timeouts, max_answer_bytes: int) -> None:
        self.base_url = checked_base_url(base_url)
        self._timeouts = timeouts
        self._limit = max_answer_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        host = urlsplit(self.base_url).hostname or ""
        self._host = host
        self._http = httpx.AsyncClient(
            auth=auth,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "rushes"},
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool
            ),
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS, keepalive_expiry=KEEPALIVE),
            follow_redirects=False,
            # A proxy that the environment names is for the internet, not for a service on this machine.
            trust_env=host not in _LOOPBACK,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send once. Raises Unreachable, AnswerLost or MalformedAnswer, and nothing else but a cancellation."""
        self._check_loop()
        status: int | None = None
        answer: Answer | None = None
        trouble: VideoGenError | None = None
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
                    status, answer = (
                        response.status_code,
                        Answer(response.status_code, response.headers, None),
                    )
                    limit = self._limit if answer.is_success else min(self._limit, LONGEST_REFUSAL)
                    answer = Answer(status, response.headers, await _read(response, limit))
                finally:
                    await response.aclose()
        except asyncio.CancelledError as cancelled:
            raise cancelled.with_traceback(None) from None
        except _Flaw as flaw:
            trouble = MalformedAnswer(f"VideoGen's answer {flaw}.", status=status, request_id=_id_of(answer))
        except Exception as error:
            trouble = self._trouble(error, status, _id_of(answer))
        # Outside the handler, so that the error does not carry the library's frames along.
        if trouble is not None and (answer is None or answer.is_success):
            raise trouble
        if answer is None:
            raise AnswerLost("VideoGen's answer was lost.")
        return answer

    def _check_loop(self) -> None:
        if self._http.is_closed:
            raise RuntimeError("This VideoGen client is closed.")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            # Its connections hang on the other loop. Said here, before a start is sent into the void.
            raise RuntimeError("This VideoGen client belongs to another event loop: make one for each loop.")

    def _trouble(self, error: Exception, status: int | None, request_id: str | None) -> VideoGenError:
        if status is None and isinstance(error, _NEVER_SENT):
            return Unreachable(f"VideoGen cannot be reached at {self._host}: {_unreached(error)}.")
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            what = "VideoGen did not answer in time."
        elif status is not None:
            what = "The connection to VideoGen was cut in the middle of its answer."
        elif isinstance(error, httpx.TransportError):
            what = "The connection to VideoGen was cut before it answered."
        else:
            # The library failed in a way of its own: whether the request left is unknown.
            what = f"The exchange with VideoGen failed ({type(error).__name__})."
        return AnswerLost(what, status=status, request_id=request_id)


def _id_of(answer: Answer | None) -> str | None:
    return answer.request_id if answer else None


def _unreached(error: Exception) -> str:
    match error:
        case httpx.ConnectTimeout():
            return "no connection in time"
        case httpx.PoolTimeout():
            return "all our connections are busy"
        case httpx.ProxyError():
            return "the proxy refused"
    return " ".join(str(error).split()).rstrip(".")[:200] or "no connection"


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, unpacked by ourselves: the library would unpack a whole piece, however large it becomes."""
    packed = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise _Flaw("is packed in a way that was not asked for")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in packed else None
    too_long = _Flaw(f"is longer than {limit:,} bytes")
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise too_long
    body = bytearray()
    received = 0
    async for piece in response.aiter_raw():
        received += len(piece)
        if received > limit:
            raise too_long
        try:
            body += unpack.decompress(piece, limit + 1 - len(body)) if unpack else piece
        except zlib.error:
            raise _Flaw("is packed wrongly") from None
        if len(body) > limit:
            raise too_long
    if unpack and received and not unpack.eof:
        raise _Flaw("is packed wrongly")
    return bytes(body)


def checked_base_url(base_url: str) -> str:
    """Raises ValueError for what is not the address of a service."""
    address = base_url.strip()
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("The base URL must begin with https:// (or http://) and name a host.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("The base URL must not hold a user, a query or a fragment.")
    if not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError("The base URL holds a character that an address cannot have.")
    _ = parts.port  # raises ValueError where it is none
    return address.rstrip("/")
