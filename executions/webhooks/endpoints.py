"""Our endpoints at VideoGen: registered once, never again at every start (docs/api-notes.md#webhook-registration: 10 an hour)."""

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
from executions.videogen import WebhookEndpoint as Registered
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
MARK = "Rushes"
# A deleted endpoint's secret still verifies what is under way, and what is sent again.
GRACE = timedelta(days=1)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the account, and what we have of it."""

    there: Registered | None
    """As VideoGen has it; None when it is gone there."""
    ours: WebhookEndpoint | None
    """With its secret; None when somebody else made it."""

    @property
    def remote_id(self) -> str:
        return self.there.endpoint_id if self.there else self.ours.remote_id if self.ours else ""

    @property
    def url(self) -> str:
        return self.there.url if self.there else self.ours.url if self.ours else ""

    @property
    def last4(self) -> str:
        known = self.there.signing_secret_last4 if self.there else ""
        return known or (self.ours.secret_last4 if self.ours else "")


async def overview() -> list[Endpoint]:
    """The account's endpoints and ours, each once. Raises VideoGenError."""
    there = {each.endpoint_id: each for each in await runtime.client().list_webhook_endpoints()}
    ours = {each.remote_id: each for each in await runtime.in_db(_known)}
    ids = [*there, *(remote_id for remote_id in ours if remote_id not in there)]
    return [Endpoint(there.get(remote_id), ours.get(remote_id)) for remote_id in ids]


async def register(
    url: str,
    events: Sequence[str] = EVENTS,
    description: str = MARK,
    *,
    actor: Actor,
    instead_of: str = "",
) -> WebhookEndpoint:
    """A new endpoint, whose secret is kept and verifies from now on. Sent once. Raises VideoGenError.

    `instead_of` is the endpoint that it takes the place of, in a rotation.
    """
    actor_id = await runtime.in_db(
        policy.require, actor, Action.ENDPOINT_ROTATE if instead_of else Action.ENDPOINT_REGISTER
    )
    created = await runtime.client().create_webhook_endpoint(url, list(events), description)
    kept = await runtime.in_db(_keep, created, list(events), actor_id, instead_of)
    signing_secrets.forget()
    return kept


async def remove(remote_id: str, url: str = "", *, actor: Actor, is_act: bool = True) -> None:
    """Delete an endpoint there; if it is ours, its secret still verifies for a while. Raises VideoGenError.

    `url` is where it pointed, for the record. In a rotation (`is_act` false) it is not an act of its own.
    """
    actor_id = await runtime.in_db(
        policy.require, actor, Action.ENDPOINT_REMOVE if is_act else Action.ENDPOINT_ROTATE
    )
    with contextlib.suppress(NotFound):
        await runtime.client().delete_webhook_endpoint(remote_id)
    await runtime.in_db(_deleted, remote_id, url, actor_id, is_act)
    signing_secrets.forget()


async def rotate(endpoint: Endpoint, *, actor: Actor) -> WebhookEndpoint:
    """A new secret: a new endpoint like this one, then this one is deleted. Both secrets verify meanwhile."""
    events = endpoint.there.events if endpoint.there and endpoint.there.events else EVENTS
    description = endpoint.there.description if endpoint.there else MARK
    fresh = await register(
        endpoint.url, events, description or MARK, actor=actor, instead_of=endpoint.remote_id
    )
    await remove(endpoint.remote_id, endpoint.url, actor=actor, is_act=False)
    return fresh


async def ensure(url: str) -> None:
    """Have exactly one endpoint of ours there, at `url`, whose secret we know. Raises VideoGenError."""
    there = {each.endpoint_id: each.url for each in await runtime.client().list_webhook_endpoints()}
    ours = {each.remote_id: each.url for each in await runtime.in_db(_in_use)}
    good = [
        remote_id for remote_id, its_url in ours.items() if its_url == url and there.get(remote_id) == url
    ]
    for remote_id in ours.keys() - set(good[:1]):
        if remote_id in there:
            await remove(remote_id, ours[remote_id], actor=policy.SYSTEM)
        else:
            await runtime.in_db(_retire, remote_id)
    if not good:
        await register(url, actor=policy.SYSTEM)
    signing_secrets.forget()


def _known() -> list[WebhookEndpoint]:
    """Ours, but for those whose secret has done its time; these are forgotten now."""
    WebhookEndpoint.objects.filter(verifies_until__lt=timezone.now()).delete()
    return list(WebhookEndpoint.objects.order_by("-created_at"))


def _in_use() -> list[WebhookEndpoint]:
    return list(WebhookEndpoint.objects.filter(verifies_until=None))


def _retire(remote_id: str) -> None:
    WebhookEndpoint.objects.filter(remote_id=remote_id, verifies_until=None).update(
        verifies_until=timezone.now() + GRACE
    )


def _deleted(remote_id: str, url: str, actor_id: int | None, is_act: bool) -> None:
    with transaction.atomic():
        _retire(remote_id)
        if is_act:
            audit_log.record(
                ActKind.ENDPOINT_DELETED, actor_id=actor_id, name=url or remote_id, endpoint=remote_id
            )


def _keep(created: Created, events: list[str], actor_id: int | None, instead_of: str) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(remote_id=created.endpoint_id, url=created.url)
    endpoint.secret = created.signing_secret
    told: dict[str, Any] = {"endpoint": created.endpoint_id, "secret_ends_in": endpoint.secret_last4}
    told |= {"instead_of": instead_of} if instead_of else {"events": events}
    with transaction.atomic():
        endpoint.save()
        kind = ActKind.ENDPOINT_ROTATED if instead_of else ActKind.ENDPOINT_CREATED
        audit_log.record(kind, actor_id=actor_id, subject=endpoint, name=endpoint.url, **told)
    return endpoint
