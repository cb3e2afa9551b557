"""The dashboard's webhook receiver behind a real socket, and deliveries signed as VideoGen signs them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import uvicorn
from standardwebhooks.webhooks import Webhook

from executions.core import runtime
from executions.models import WebhookDelivery, WebhookEndpoint
from executions.webhooks import endpoints
from tests.conftest import SandboxProcess
from tests.faults import scenes
from tests.waiting import until

SECRET = "whsec_dGVzdHMgb25seSwgbm90IGEgc2VjcmV0IQ=="
ROOMY = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the test runner's."""
        yield


class Listening:
    """An ASGI application behind a free port, in the test's loop."""

    def __init__(self, application: Any) -> None:
        options = {"ws": "none", "lifespan": "off", "log_config": None, "access_log": False}
        self._server = _Server(uvicorn.Config(application, port=0, timeout_keep_alive=75, **options))
        self.url = ""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve())

        async def listens() -> bool:
            return self._server.started

        await until(listens)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task


class Receiving:
    """Listens on a free port, in the test's loop. `register` has the sandbox send its events here."""

    def __init__(self, sandbox: SandboxProcess, settings: Any) -> None:
        settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]
        settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
        self.sandbox = sandbox
        self.url = ""
        self._registered = False

    async def start(self) -> None:
        from dashboard.asgi import application

        self._listening = Listening(application)
        await self._listening.start()
        self.url = f"{self._listening.url}/webhooks/videogen/"
        self._http = httpx.AsyncClient(timeout=20, trust_env=False, verify=False)

    async def stop(self) -> None:
        if self._registered:
            await scenes.well_again(self.sandbox)
            await scenes.order(self.sandbox, limits=ROOMY)
            await runtime.close_client()
            runtime.use_account(self.sandbox.api_key, self.sandbox.url)
            in_use = WebhookEndpoint.objects.filter(verifies_until=None)
            for endpoint in await runtime.in_db(lambda: list(in_use)):
                await runtime.client().delete_webhook_endpoint(endpoint.remote_id)
        await self._http.aclose()
        await self._listening.stop()

    async def register(self) -> None:
        await scenes.order(self.sandbox, limits=ROOMY)
        await endpoints.ensure(self.url)
        self._registered = True

    async def attempts(self, remote_id: str) -> list[int | None]:
        """What the sandbox's attempts to tell us of this execution's end were answered with."""
        told = (await scenes.control(self.sandbox, "GET", "deliveries"))["deliveries"]
        return [
            attempt["status"]
            for message in told
            if message["url"] == self.url
            and message["body"].get("toolExecutionId") == remote_id
            and message["event"].startswith("tool_execution.")
            for attempt in message["attempts"]
        ]

    async def deliver(
        self, body: dict[str, Any], webhook_id: str | None = None, secret: str = SECRET
    ) -> httpx.Response:
        """POST an event of our own making, signed now."""
        text = json.dumps(body)
        return await self._http.post(self.url, content=text, headers=signed(text, webhook_id, secret))


def signed(text: str, webhook_id: str | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery of this body, sent now."""
    name, now = webhook_id or f"msg_{uuid.uuid4().hex}", datetime.now(UTC).replace(microsecond=0)
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(name, now, text),
    }


def tells(remote_id: str, status: str, **fields: Any) -> dict[str, Any]:
    """The event that tells how an execution ended."""
    return {
        "event": f"tool_execution.{status}",
        "toolExecutionId": remote_id,
        "toolType": "GENERATE_IMAGE",
        "occurredAt": datetime.now(UTC).isoformat(),
        **fields,
    }


async def outcomes(remote_id: str) -> list[str]:
    """The outcomes of the deliveries about this execution that were stored, in the order in which they came."""
    rows = WebhookDelivery.objects.filter(remote_execution_id=remote_id).order_by("id")
    return await runtime.in_db(lambda: [row.outcome for row in rows])
