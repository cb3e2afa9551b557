"""The ASGI application: pages and webhooks over HTTP, live updates over WebSockets."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

import django

django.setup(set_prefix=False)

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

from dashboard.http.asgi_handler import PageHandler
from dashboard.http.paths import LIVE_PATH, RECEIVER_PATH
from dashboard.http.webhook_bypass import WebhookBypass
from dashboard.live.consumers import REFUSED, LiveConsumer
from dashboard.webhooks import receiver
from executions.core import runtime


class AttachLoop:
    """Registers the running event loop with executions/core/runtime.py, whichever server runs it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        runtime.attach(asyncio.get_running_loop())
        await self.app(scope, receive, send)


class SameOrigin:
    """Accepts sockets only from pages of Rushes. The port is compared too, because cookies ignore it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1")).netloc
        ours = {headers.get(b"host", b"").decode("latin-1"), urlsplit(settings.PUBLIC_URL).netloc} - {""}
        if origin in ours:
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": REFUSED})


application = ProtocolTypeRouter(
    {
        "http": AttachLoop(
            WebhookBypass(PageHandler(), f"/{RECEIVER_PATH}", receiver.receive, receiver.MAX_BODY_BYTES)
        ),
        "websocket": AttachLoop(
            SameOrigin(AuthMiddlewareStack(URLRouter([path(LIVE_PATH, LiveConsumer.as_asgi(), name="live")])))
        ),
    }
)
