"""Our webhook endpoints at VideoGen. They are registered once, not at every start (docs/api-notes.md#webhook-registration: 10 an hour)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.core import runtime
from executions.models import WebhookEndpoint
from executions.models.event import ActKind
from executions.policy import Action, Actor
from executions.videogen import NotFound
from executions.videogen import RemoteEndpoint as Registered
from executions.videogen import WebhookEndpointCreated as Created
from executions.webhooks import signing_secrets

logger = logging.getLogger(__name__)

EVENTS = (
    "tool_execution.succeeded",
    "tool_execution.failed",
    "tool_execution.cancelled",
    "file.upload.completed",
    "file.upload.failed",
    "file.playback_ready",
    "file.download_ready",
    "file.analysis_completed",
    "file.analysis_failed",
)
DEFAULT_DESCRIPTION = "Rushes"
# The secret of a deleted endpoint still verifies deliveries on their way and repeated attempts.
GRACE_PERIOD = timedelta(days=1)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the account, as registered at VideoGen and as stored here."""

    remote: Registered | None
    """None if it was deleted at VideoGen."""
    local: WebhookEndpoint | None
    """Has the secret. None if the endpoint was registered outside Rushes."""

    @property
    def remote_id(self) -> str:
        return self.remote.endpoint_id if self.remote else self.local.remote_id if self.local else ""

    @property
    def url(self) -> str:
        return self.remote.url if self.remote else self.local.url if self.local else ""

    @property
    def last4(self) -> str:
        last4 = self.remote.signing_secret_last4 if self.remote else ""
        return last4 or (self.local.secret_last4 if self.local else "")


async def overview() -> list[Endpoint]:
    """All endpoints of the account and of Rushes, without duplicates. Raises VideoGenError."""
    remote = {each.endpoint_id: each for each in await runtime.client().list_webhook_endpoints()}
    local = {each.remote_id: each for each in await runtime.in_db(_load_local)}
    ids = [*remote, *(remote_id for remote_id in local if remote_id not in remote)]
    return [Endpoint(remote.get(remote_id), local.get(remote_id)) for remote_id in ids]


async def register(
    url: str,
    events: Sequence[str] = EVENTS,
    description: str = DEFAULT_DESCRIPTION,
    *,
    actor: Actor,
    replaces: str = "",
) -> WebhookEndpoint:
    """Register an endpoint and store its secret, which verifies deliveries from now on. Sent once.

    `replaces` is the id of the endpoint that a rotation replaces. Raises VideoGenError and NotAllowed.
    """
    actor_id = await runtime.in_db(
        policy.require, actor, Action.ENDPOINT_ROTATE if replaces else Action.ENDPOINT_REGISTER
    )
    created = await runtime.client().create_webhook_endpoint(url, list(events), description)
    endpoint = await runtime.in_db(_store, created, list(events), actor_id, replaces)
    signing_secrets.clear_cache()
    return endpoint


async def remove(remote_id: str, url: str = "", *, actor: Actor, is_audited: bool = True) -> None:
    """Delete an endpoint at VideoGen. If it is ours, its secret still verifies for GRACE_PERIOD.

    `url` is its address, for the audit log. A rotation passes `is_audited=False`, because it has its own audit entry.
    Raises VideoGenError and NotAllowed.
    """
    actor_id = await runtime.in_db(
        policy.require, actor, Action.ENDPOINT_REMOVE if is_audited else Action.ENDPOINT_ROTATE
    )
    with contextlib.suppress(NotFound):
        await runtime.client().delete_webhook_endpoint(remote_id)
    await runtime.in_db(_record_deletion, remote_id, url, actor_id, is_audited)
    signing_secrets.clear_cache()


async def rotate(endpoint: Endpoint, *, actor: Actor) -> WebhookEndpoint:
    """Rotate the secret: register an equal endpoint, then delete this one. Both secrets verify meanwhile."""
    events = endpoint.remote.events if endpoint.remote and endpoint.remote.events else EVENTS
    description = endpoint.remote.description if endpoint.remote else DEFAULT_DESCRIPTION
    replacement = await register(
        endpoint.url, events, description or DEFAULT_DESCRIPTION, actor=actor, replaces=endpoint.remote_id
    )
    await remove(endpoint.remote_id, endpoint.url, actor=actor, is_audited=False)
    return replacement


async def ensure(url: str) -> None:
    """Ensure that Rushes has exactly one endpoint at VideoGen, at `url`, with a known secret. Raises VideoGenError."""
    remote = {each.endpoint_id: each.url for each in await runtime.client().list_webhook_endpoints()}
    local = {each.remote_id: each.url for each in await runtime.in_db(_load_active)}
    valid = [
        remote_id
        for remote_id, local_url in local.items()
        if local_url == url and remote.get(remote_id) == url
    ]
    for remote_id in local.keys() - set(valid[:1]):
        if remote_id in remote:
            await remove(remote_id, local[remote_id], actor=policy.SYSTEM)
        else:
            await runtime.in_db(_retire, remote_id)
    if not valid:
        await register(url, actor=policy.SYSTEM)
    signing_secrets.clear_cache()


def _load_local() -> list[WebhookEndpoint]:
    """Our endpoints. Those whose secret has expired are deleted first."""
    WebhookEndpoint.objects.filter(verifies_until__lt=timezone.now()).delete()
    return list(WebhookEndpoint.objects.order_by("-created_at"))


def _load_active() -> list[WebhookEndpoint]:
    return list(WebhookEndpoint.objects.filter(verifies_until=None))


def _retire(remote_id: str) -> None:
    WebhookEndpoint.objects.filter(remote_id=remote_id, verifies_until=None).update(
        verifies_until=timezone.now() + GRACE_PERIOD
    )


def _record_deletion(remote_id: str, url: str, actor_id: int | None, is_audited: bool) -> None:
    with transaction.atomic():
        _retire(remote_id)
        if is_audited:
            audit_log.record(
                ActKind.ENDPOINT_DELETED, actor_id=actor_id, name=url or remote_id, endpoint=remote_id
            )


def _store(created: Created, events: list[str], actor_id: int | None, replaces: str) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(remote_id=created.endpoint_id, url=created.url)
    endpoint.secret = created.signing_secret
    detail: dict[str, Any] = {"endpoint": created.endpoint_id, "secret_ends_in": endpoint.secret_last4}
    detail |= {"instead_of": replaces} if replaces else {"events": events}
    with transaction.atomic():
        endpoint.save()
        kind = ActKind.ENDPOINT_ROTATED if replaces else ActKind.ENDPOINT_CREATED
        audit_log.record(kind, actor_id=actor_id, subject=endpoint, name=endpoint.url, **detail)
    return endpoint
