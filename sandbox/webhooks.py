"""Webhook deliveries: one message per subscribed endpoint, signed for each attempt, retried with backoff.

Source: docs/api-notes.md#webhook-delivery. The retry delays are an assumption. The order of messages is not guaranteed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from sandbox.faults import Fault, Faults
from sandbox.ids import new_id
from sandbox.records import Endpoint, Message
from sandbox.settings import Settings
from sandbox.store import Store

RETRY_DELAYS = (5.0, 30.0, 120.0, 600.0, 1800.0)
"""Seconds between attempts at speed 1; after the last one the message is dropped (docs/api-notes.md#webhook-delivery)."""


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Webhooks:
    """Sends events to the registered endpoints, with retries until each responds with 2xx."""

    def __init__(self, store: Store, faults: Faults, settings: Settings) -> None:
        self._store = store
        self._faults = faults
        self._settings = settings
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[Message] = []
        self._reordering: list[Message] = []

    def start(self) -> None:
        """Resume deliveries that a restart interrupted. Held messages are sent too."""
        for message in self._store.in_state(Message, "waiting", "held"):
            message.status = "waiting"
            self._send_later(message, delay=max(0.0, message.due_at - time.time()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._client is not None:
            await self._client.aclose()

    def publish(self, body: dict[str, Any]) -> None:
        """Queue an event for each subscribed endpoint. Call inside the transaction that the event belongs to."""
        event = body["event"]
        text = json.dumps(body, ensure_ascii=False)
        for endpoint in reversed(self._store.page(Endpoint, 10_000)):
            if event in endpoint.events:
                message = Message(
                    id=new_id("msg_"), endpoint=endpoint.id, url=endpoint.url, event=event, body=text
                )
                self._store.save(message)
                self._route(message, self._faults.for_event(event))

    def release(self, *, backwards: bool = False) -> int:
        """Send the messages held by the fault ``webhook_hold``. Returns their number."""
        held, self._held = self._held, []
        self._spawn(self._send_in_order(list(reversed(held)) if backwards else held))
        return len(held)

    def _route(self, message: Message, faults: list[Fault]) -> None:
        """Send, hold or drop the message according to the faults."""
        kinds = {fault.kind: fault.options for fault in faults}
        forge = kinds.get("webhook_forge", {}).get("how")
        if "webhook_drop" in kinds:
            self._set_status(message, "dropped")
        elif "webhook_hold" in kinds:
            self._set_status(message, "held")
            self._held.append(message)
        elif "webhook_reorder" in kinds:
            self._reorder(message, **kinds["webhook_reorder"])
        else:
            delay = kinds.get("webhook_delay", {}).get("seconds", 0.0)
            for _ in range(kinds.get("webhook_double", {}).get("copies", 1)):
                self._send_later(message, delay, forge)

    def _reorder(self, message: Message, size: int, seconds: float) -> None:
        """Collect ``size`` messages and send them in reverse order; fewer after ``seconds``."""
        self._reordering.append(message)
        if len(self._reordering) >= size:
            self._flush_reordered()
        elif len(self._reordering) == 1:
            asyncio.get_running_loop().call_later(seconds, self._flush_reordered)

    def _flush_reordered(self) -> None:
        batch, self._reordering = self._reordering, []
        if batch:
            self._spawn(self._send_in_order(batch[::-1]))

    async def _send_in_order(self, messages: list[Message]) -> None:
        """Make first attempts strictly one after the other. Retries do not delay the other messages."""
        for message in messages:
            message.status = "waiting"
            if not await self._attempt(message, None):
                self._spawn(self._retry(message, None))

    def _send_later(self, message: Message, delay: float = 0.0, forge: str | None = None) -> None:
        async def send() -> None:
            if delay:
                await asyncio.sleep(delay)
            if not await self._attempt(message, forge):
                await self._retry(message, forge)

        self._spawn(send())

    async def _retry(self, message: Message, forge: str | None) -> None:
        for wait in RETRY_DELAYS:
            if message.status != "waiting":
                return
            message.due_at = time.time() + wait / self._settings.speed
            self._store.save(message)
            await asyncio.sleep(wait / self._settings.speed)
            if await self._attempt(message, forge):
                return
        if message.status == "waiting":
            self._set_status(message, "dropped")

    async def _attempt(self, message: Message, forge: str | None) -> bool:
        """Send one POST. True when the message needs no further attempt."""
        endpoint = self._store.get(Endpoint, message.endpoint)
        if endpoint is None:
            self._set_status(message, "gone")
            return True
        started = time.time()
        outcome: dict[str, Any] = {"at": started, "status": None, "error": None}
        if forge is not None:
            outcome["forged"] = forge
        content, headers = _sign(message, endpoint.secret, forge)
        try:
            async with asyncio.timeout(self._settings.webhook_timeout):
                response = await self._http().post(endpoint.url, content=content, headers=headers)
            outcome["status"] = response.status_code
        except TimeoutError:
            outcome["error"] = f"no response within {self._settings.webhook_timeout:g} s"
        except httpx.HTTPError as error:
            outcome["error"] = f"{type(error).__name__}: {error}"
        outcome["seconds"] = round(time.time() - started, 4)
        message.attempts.append(outcome)
        delivered = outcome["status"] is not None and 200 <= outcome["status"] < 300
        self._set_status(message, "delivered" if delivered else message.status)
        return delivered

    def _set_status(self, message: Message, status: str) -> None:
        message.status = status
        self._store.save(message)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=50, max_keepalive_connections=20)
            self._client = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)
        return self._client

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _sign(message: Message, secret: str, forge: str | None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one attempt, with the current timestamp (docs/api-notes.md#webhook-signature)."""
    shift = {"stale": -600, "future": 600}.get(forge or "", 0)
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=shift)
    signer = Webhook(new_secret() if forge == "wrong_secret" else secret)
    headers = {
        "content-type": "application/json",
        "user-agent": "VideoGen-Sandbox-Webhooks/1",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signer.sign(message.id, moment, message.body),
    }
    if forge == "unsigned":
        del headers["webhook-signature"]
    body = message.body.replace("succeeded", "failed", 1) if forge == "altered_body" else message.body
    return (body + " " if forge == "altered_body" else body).encode(), headers
