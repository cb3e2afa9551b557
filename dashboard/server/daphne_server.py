"""daphne, with what a service needs beside it: a limit on bodies, and a stop that loses nothing.

daphne itself cuts every running request at SIGTERM, and closes sockets in a way that pages take for a failure.
"""

from __future__ import annotations

import daphne.server  # isort: skip - installs the event loop; before anything else that asks for one

import asyncio
import logging
from io import BytesIO
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest

from dashboard.http import upload_guard
from dashboard.http.paths import UPLOAD_PATH
from dashboard.server.backpressure import Brake
from executions.core import runtime
from executions.files import media_http

logger = logging.getLogger(__name__)

# Bytes of a request's body. daphne keeps a body on disk before anybody can look at it, so the limit is here.
LARGEST_BODY = 3 * 1024 * 1024
# Bytes that may wait for a page which does not read. It is cut then, comes back by itself, and refetches.
LARGEST_BACKLOG = 4 * 1024 * 1024
# Not ASGI's: said to ourselves when an answer that has begun cannot be completed.
BROKEN_OFF = "http.response.broken_off"
RESTARTING = 1012  # pages reconnect by themselves after this code
ENDED = 1000


class LimitedRequest(WebRequest):
    """Refuses a body that is too large while it arrives, not after.

    One path takes large bodies, of signed-in people only: the upload of files. Such a body is kept on disk by
    daphne, and goes to Django as that file (dashboard/http/asgi_handler.py): daphne's own way leads through memory.
    """

    content: Any
    received = 0
    brake: Brake | None = None
    limit = LARGEST_BODY
    # Pieces of a large body that came before it was known whether it may come.
    held: list[bytes] | None = None
    refused = False

    def gotLength(self, length: int | None) -> None:
        if length is None or length <= LARGEST_BODY:
            super().gotLength(length or 0)
            return
        if self._is_upload() and length <= upload_guard.MAX_BODY_BYTES:
            super().gotLength(length)
            self.limit = length
            self.held = []
            self.channel._networkProducer.pauseProducing()
            self.asking = asyncio.ensure_future(self._ask())
            return
        super().gotLength(0)
        self._refuse(b"413 Content Too Large")

    def _is_upload(self) -> bool:
        channel = self.channel
        path: bytes = channel._path.partition(b"?")[0]
        return channel._command == b"POST" and path == f"/{UPLOAD_PATH}".encode()

    async def _ask(self) -> None:
        """May this one send so much? Until that is known nothing more is read from the connection."""
        cookies = b"; ".join(self.requestHeaders.getRawHeaders(b"cookie", [])).decode("latin-1")
        try:
            may = await runtime.in_reader(upload_guard.is_signed_in, cookies)
        except Exception:
            logger.exception("Whether a large body may come could not be found out")
            may = False
        if self.channel is None:
            return  # the connection is gone
        held, self.held = self.held or [], None
        if not may:
            self._refuse(b"403 Forbidden")
            return
        for data in held:
            self.handleContentChunk(data)
        if self.channel is not None:
            self.channel._networkProducer.resumeProducing()

    def handleContentChunk(self, data: bytes) -> None:
        if self.refused:
            return
        if self.held is not None:
            self.held.append(data)
            return
        self.received += len(data)
        if self.received > self.limit:
            self._refuse(b"413 Content Too Large")
            return
        try:
            super().handleContentChunk(data)
        except OSError as error:
            logger.error("A body could not be kept on disk: %s", error)
            self._refuse(b"507 Insufficient Storage")

    def process(self) -> Any:
        if self.limit > LARGEST_BODY:
            self.whole_body, self.content = self.content, BytesIO()
        return super().process()

    whole_body: Any = None

    def break_off(self) -> None:
        """End an answer that is not complete, so that nobody takes it for the whole."""
        if self.finished or self.channel is None:
            return
        if self.brake is not None:
            self.brake.release()
        transport = self.channel.transport
        if self.chunked or self.responseHeaders.hasHeader("content-length"):
            transport.loseConnection()
        else:
            # To such a client (HTTP/1.0) an ordinary end of the connection is the end of the answer.
            transport.abortConnection()

    def _refuse(self, status: bytes) -> None:
        """The rest of the body is of no interest: answer, and close."""
        self.refused = True
        transport = self.channel.transport
        transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        transport.loseConnection()


class LimitedFactory(HTTPFactory):
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = LimitedRequest
        return protocol


class Server(daphne.server.Server):
    """Knows its ports and its running requests, so that it can stop well."""

    def __init__(self, application: Any, **options: Any) -> None:
        self.ports: list[Any] = []
        self.running: set[asyncio.Task[Any]] = set()
        self.failure = ""
        super().__init__(
            self._counted(application),
            signal_handlers=False,
            # daphne's own limit ends a socket with a code after which pages stay away.
            websocket_timeout=-1,
            **options,
        )

    def _counted(self, application: Any) -> Any:
        async def counted(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
                return
            task = asyncio.current_task()
            assert task is not None
            self.running.add(task)
            is_in_the_middle = False

            async def noted(message: dict[str, Any]) -> None:
                nonlocal is_in_the_middle
                is_in_the_middle = message["type"] == "http.response.start" or message.get("more_body", False)
                await send(message)

            try:
                await application(scope, receive, noted)
            except Exception as error:
                if not is_in_the_middle:
                    raise
                # daphne would stumble over it, and leave the client waiting.
                _tell_of(error, scope["path"])
                await send({"type": BROKEN_OFF})
            finally:
                self.running.discard(task)

        return counted

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        body = getattr(protocol, "whole_body", None)
        if body is not None:
            scope[upload_guard.BODY_IN_SCOPE] = body
        return super().create_application(protocol, scope)

    def run(self) -> None:
        daphne.server.HTTPFactory = LimitedFactory
        super().run()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Whoever streams an answer goes on when the client has taken what was sent: daphne would keep it all."""
        if message["type"] == "websocket.close" and protocol.state == protocol.STATE_OPEN:
            code = message.get("code") or ENDED
            # The library's own way to close takes no code that says to come back.
            protocol.sendCloseFrame(code=code, reasonUtf8=b"")
            return
        if message["type"] == BROKEN_OFF:
            protocol.break_off()
            return
        if message["type"] != "http.response.body" or not isinstance(protocol, LimitedRequest):
            await super().handle_reply(protocol, message)
            if message["type"] == "websocket.send" and _backlog(protocol.transport) > LARGEST_BACKLOG:
                protocol.transport.abortConnection()
            return
        if protocol.brake is None and message.get("more_body", False):
            protocol.brake = Brake(protocol)
        if protocol.brake is not None and not message.get("more_body", False):
            protocol.brake.release()
        await super().handle_reply(protocol, message)
        if protocol.brake is not None:
            await protocol.brake.wait()

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        self.failure = f"it cannot listen there: {failure.getErrorMessage()}"
        self.stop()

    async def drain(self, seconds: float) -> None:
        """Take nothing new, send pages away to come back, and let requests finish for at most so long."""
        for port in self.ports:
            port.stopListening()
        for protocol in list(self.connections):
            if not hasattr(protocol, "sendCloseFrame"):
                continue
            if protocol.state == protocol.STATE_OPEN:
                protocol.sendCloseFrame(code=RESTARTING, reasonUtf8=b"restart")
            else:
                # It is still being opened, and takes no frame yet; or it is being closed already.
                protocol.transport.loseConnection()
        if self.running:
            await asyncio.wait(set(self.running), timeout=seconds)


def _tell_of(error: Exception, path: str) -> None:
    if isinstance(error, media_http.BrokenOff):
        logger.warning("The answer to %s broke off: %s", path, error)
    else:
        logger.error("The answer to %s broke off", path, exc_info=error)


def _backlog(transport: Any) -> int:
    """Bytes that were written to a connection and that its other end has not taken yet."""
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen if transport else 0
