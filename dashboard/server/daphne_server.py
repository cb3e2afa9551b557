"""The daphne server, extended by limits on request bodies, backpressure, and a graceful stop.

On SIGTERM, daphne itself cuts every running request, and closes sockets with a code that pages treat as a failure.
"""

from __future__ import annotations

import daphne.server  # isort: skip - installs the event loop, so it must be imported before anything that uses one

import asyncio
import logging
from io import BytesIO
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest

from dashboard.http import upload_guard
from dashboard.http.paths import UPLOAD_PATH
from dashboard.server.backpressure import Backpressure
from executions.core import runtime
from executions.files import media_http

logger = logging.getLogger(__name__)

# daphne writes a body to disk before any application code runs, so the limit is enforced here.
MAX_BODY_BYTES = 3 * 1024 * 1024
# Unsent bytes of a socket whose page does not read. It is then cut; the page reconnects and refetches.
MAX_BACKLOG_BYTES = 4 * 1024 * 1024
# Not an ASGI message: sent internally when a response that has started cannot be completed.
RESPONSE_ABORTED = "http.response.broken_off"
RESTARTING = 1012  # pages reconnect after this code
NORMAL_CLOSURE = 1000


class LimitedRequest(WebRequest):
    """Rejects a body that is too large while it arrives.

    Only the upload path accepts large bodies, and only from signed-in users. daphne writes such a body to disk, and
    Django gets that file (dashboard/http/asgi_handler.py), whereas daphne itself would read it into memory.
    """

    content: Any
    received = 0
    backpressure: Backpressure | None = None
    limit = MAX_BODY_BYTES
    # Chunks of a large body that arrived before the sender was authorised.
    pending_chunks: list[bytes] | None = None
    rejected = False

    def gotLength(self, length: int | None) -> None:
        if length is None or length <= MAX_BODY_BYTES:
            super().gotLength(length or 0)
            return
        if self._is_upload() and length <= upload_guard.MAX_BODY_BYTES:
            super().gotLength(length)
            self.limit = length
            self.pending_chunks = []
            self.channel._networkProducer.pauseProducing()
            self.authorisation = asyncio.ensure_future(self._authorise())
            return
        super().gotLength(0)
        self._reject(b"413 Content Too Large")

    def _is_upload(self) -> bool:
        channel = self.channel
        path: bytes = channel._path.partition(b"?")[0]
        return channel._command == b"POST" and path == f"/{UPLOAD_PATH}".encode()

    async def _authorise(self) -> None:
        """Check whether the sender may upload. Reading from the connection is paused until then."""
        cookies = b"; ".join(self.requestHeaders.getRawHeaders(b"cookie", [])).decode("latin-1")
        try:
            is_allowed = await runtime.in_reader(upload_guard.is_signed_in, cookies)
        except Exception:
            logger.exception("Could not check whether a large body is allowed")
            is_allowed = False
        if self.channel is None:
            return  # the connection is gone
        pending_chunks, self.pending_chunks = self.pending_chunks or [], None
        if not is_allowed:
            self._reject(b"403 Forbidden")
            return
        for data in pending_chunks:
            self.handleContentChunk(data)
        if self.channel is not None:
            self.channel._networkProducer.resumeProducing()

    def handleContentChunk(self, data: bytes) -> None:
        if self.rejected:
            return
        if self.pending_chunks is not None:
            self.pending_chunks.append(data)
            return
        self.received += len(data)
        if self.received > self.limit:
            self._reject(b"413 Content Too Large")
            return
        try:
            super().handleContentChunk(data)
        except OSError as error:
            logger.error("Could not write a request body to disk: %s", error)
            self._reject(b"507 Insufficient Storage")

    def process(self) -> Any:
        if self.limit > MAX_BODY_BYTES:
            self.whole_body, self.content = self.content, BytesIO()
        return super().process()

    whole_body: Any = None

    def abort_response(self) -> None:
        """Abort an incomplete response, so that the client does not take it for complete."""
        if self.finished or self.channel is None:
            return
        if self.backpressure is not None:
            self.backpressure.release()
        transport = self.channel.transport
        if self.chunked or self.responseHeaders.hasHeader("content-length"):
            transport.loseConnection()
        else:
            # For an HTTP/1.0 client, an orderly close of the connection marks the end of the response.
            transport.abortConnection()

    def _reject(self, status: bytes) -> None:
        """Respond and close, without reading the rest of the body."""
        self.rejected = True
        transport = self.channel.transport
        transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        transport.loseConnection()


class LimitedFactory(HTTPFactory):
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = LimitedRequest
        return protocol


class Server(daphne.server.Server):
    """Tracks its ports and running requests, so that it can stop gracefully."""

    def __init__(self, application: Any, **options: Any) -> None:
        self.ports: list[Any] = []
        self.running: set[asyncio.Task[Any]] = set()
        self.failure = ""
        super().__init__(
            self._tracked(application),
            signal_handlers=False,
            # daphne's timeout closes a socket with a code after which pages do not reconnect.
            websocket_timeout=-1,
            **options,
        )

    def _tracked(self, application: Any) -> Any:
        async def tracked(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
                return
            task = asyncio.current_task()
            assert task is not None
            self.running.add(task)
            is_incomplete = False

            async def tracking_send(message: dict[str, Any]) -> None:
                nonlocal is_incomplete
                is_incomplete = message["type"] == "http.response.start" or message.get("more_body", False)
                await send(message)

            try:
                await application(scope, receive, tracking_send)
            except Exception as error:
                if not is_incomplete:
                    raise
                # daphne cannot handle this, and would leave the client waiting.
                _log_broken_response(error, scope["path"])
                await send({"type": RESPONSE_ABORTED})
            finally:
                self.running.discard(task)

        return tracked

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        body = getattr(protocol, "whole_body", None)
        if body is not None:
            scope[upload_guard.BODY_SCOPE_KEY] = body
        return super().create_application(protocol, scope)

    def run(self) -> None:
        daphne.server.HTTPFactory = LimitedFactory
        super().run()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Apply backpressure to streamed responses, which daphne would buffer completely."""
        if message["type"] == "websocket.close" and protocol.state == protocol.STATE_OPEN:
            code = message.get("code") or NORMAL_CLOSURE
            # The library's own close method rejects the codes after which pages reconnect.
            protocol.sendCloseFrame(code=code, reasonUtf8=b"")
            return
        if message["type"] == RESPONSE_ABORTED:
            protocol.abort_response()
            return
        if message["type"] != "http.response.body" or not isinstance(protocol, LimitedRequest):
            await super().handle_reply(protocol, message)
            if message["type"] == "websocket.send" and _backlog(protocol.transport) > MAX_BACKLOG_BYTES:
                protocol.transport.abortConnection()
            return
        if protocol.backpressure is None and message.get("more_body", False):
            protocol.backpressure = Backpressure(protocol)
        if protocol.backpressure is not None and not message.get("more_body", False):
            protocol.backpressure.release()
        await super().handle_reply(protocol, message)
        if protocol.backpressure is not None:
            await protocol.backpressure.wait()

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        self.failure = f"cannot listen: {failure.getErrorMessage()}"
        self.stop()

    async def drain(self, seconds: float) -> None:
        """Stop accepting connections, close sockets so that pages reconnect, and let running requests finish for at most
        this many seconds."""
        for port in self.ports:
            port.stopListening()
        for protocol in list(self.connections):
            if not hasattr(protocol, "sendCloseFrame"):
                continue
            if protocol.state == protocol.STATE_OPEN:
                protocol.sendCloseFrame(code=RESTARTING, reasonUtf8=b"restart")
            else:
                # It is still opening, and cannot receive a frame yet, or it is already closing.
                protocol.transport.loseConnection()
        if self.running:
            await asyncio.wait(set(self.running), timeout=seconds)


def _log_broken_response(error: Exception, path: str) -> None:
    if isinstance(error, media_http.IncompleteResponse):
        logger.warning("Response to %s was interrupted: %s", path, error)
    else:
        logger.error("Response to %s was interrupted", path, exc_info=error)


def _backlog(transport: Any) -> int:
    """Bytes written to a connection that its client has not read yet."""
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen if transport else 0
