"""The dashboard's webhook receiver on a real socket, and deliveries signed as VideoGen signs them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import uvicorn

from executions.core import runtime
from executions.models import WebhookDelivery, WebhookEndpoint
from executions.webhooks import endpoints
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories.deliveries import SECRET, signed
from tests.waiting import until

HIGH_LIMITS = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the test runner."""
        yield


class LocalServer:
    """An ASGI application on a free port, in the test's event loop."""

    def __init__(self, application: Any) -> None:
        options = {"ws": "none", "lifespan": "off", "log_config": None, "access_log": False}
        self._server = _Server(uvicorn.Config(application, port=0, timeout_keep_alive=75, **options))
        self.url = ""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve())

        async def is_listening() -> bool:
            return self._server.started

        await until(is_listening)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task


class WebhookReceiver:
    """The receiver on a free port, in the test's event loop. After `register` the sandbox delivers to it."""

    def __init__(self, sandbox: SandboxProcess, settings: Any) -> None:
        settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]
        settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
        self.sandbox = sandbox
        self.url = ""
        self._registered = False

    async def start(self) -> None:
        from dashboard.asgi import application

        self._listening = LocalServer(application)
        await self._listening.start()
        self.url = f"{self._listening.url}/webhooks/videogen/"
        self._http = httpx.AsyncClient(timeout=20, trust_env=False, verify=False)

    async def stop(self) -> None:
        if self._registered:
            await steps.clear_faults(self.sandbox)
            await steps.add_faults(self.sandbox, limits=HIGH_LIMITS)
            await runtime.close_client()
            runtime.use_account(self.sandbox.api_key, self.sandbox.url)
            in_use = WebhookEndpoint.objects.filter(verifies_until=None)
            for endpoint in await runtime.in_db(lambda: list(in_use)):
                await runtime.client().delete_webhook_endpoint(endpoint.remote_id)
        await self._http.aclose()
        await self._listening.stop()

    async def register(self) -> None:
        await steps.add_faults(self.sandbox, limits=HIGH_LIMITS)
        await endpoints.ensure(self.url)
        self._registered = True

    async def attempts(self, remote_id: str) -> list[int | None]:
        """The status of each attempt of the sandbox to deliver the outcome of this execution."""
        deliveries = (await steps.control(self.sandbox, "GET", "deliveries"))["deliveries"]
        return [
            attempt["status"]
            for message in deliveries
            if message["url"] == self.url
            and message["body"].get("toolExecutionId") == remote_id
            and message["event"].startswith("tool_execution.")
            for attempt in message["attempts"]
        ]

    async def deliver(
        self, body: dict[str, Any], webhook_id: str = "", secret: str = SECRET
    ) -> httpx.Response:
        """POST an event that the test made, signed now."""
        content = json.dumps(body).encode()
        headers = {"content-type": "application/json", **signed(content, webhook_id, secret=secret)}
        return await self._http.post(self.url, content=content, headers=headers)


async def delivery_outcomes(remote_id: str) -> list[str]:
    """The outcome of each stored delivery about this execution, in the order of arrival."""
    rows = WebhookDelivery.objects.filter(remote_execution_id=remote_id).order_by("id")
    return await runtime.in_db(lambda: [row.outcome for row in rows])
