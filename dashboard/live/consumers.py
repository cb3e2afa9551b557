"""The WebSocket of a page, over which it receives live updates."""

from __future__ import annotations

import logging
from contextlib import suppress
from itertools import count
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from redis.exceptions import RedisError

from dashboard.http.params import as_uuid
from dashboard.live.comments import job_group, people_group
from dashboard.live.fanout import RECONNECT, fanout
from executions import policy
from executions.core import runtime
from executions.models import Batch, Execution
from executions.team import comments, members

logger = logging.getLogger(__name__)

TOPICS = {"studio", "history", "rows", "gallery", "tiles", "batches", "queue"}
# Topics of the form "job:<id>" and "batch:<id>".
TOPIC_MODELS: dict[str, type[Execution] | type[Batch]] = {"job": Execution, "batch": Batch}
# Close codes after which pages do not reconnect; after 1012 they do (docs/architecture.md).
REFUSED, SIGNED_OUT = 4403, 4401


class LiveConsumer(AsyncWebsocketConsumer):
    """One page's connection. `?topic=` says what the page shows: TOPICS, job:<id> or batch:<id>."""

    topic = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._comments = count(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, OSError, TimeoutError) as error:
            # Without the channel layer a page would receive nothing. Closed, it polls and reconnects.
            logger.warning("Live updates are unavailable for a page: %s", error)
            with suppress(Exception):
                await send({"type": "websocket.close", "code": RECONNECT})
        finally:
            await fanout().leave(self)

    async def connect(self) -> None:
        user = self.scope["user"]
        if not user.is_authenticated or not user.is_active:
            await self.close(REFUSED)
            return
        self.topic = parse_qs(self.scope["query_string"].decode(errors="replace")).get("topic", [""])[0]
        if not await self._may_see(self.topic):
            await self.close(REFUSED)
            return
        for group in self._groups():
            await self.channel_layer.group_add(group, self.channel_name)
        # From here on, a deactivation closes this socket; it may have happened just before, so check again.
        if not await runtime.in_reader(members.is_active, user.pk):
            await self.close(REFUSED)
            return
        await fanout().join(self)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        user = self.scope["user"]
        if user.is_authenticated:
            for group in self._groups():
                await self.channel_layer.group_discard(group, self.channel_name)

    def _groups(self) -> list[str]:
        """The groups this page belongs to: its person's, and its job's."""
        kind, _, thing_id = self.topic.partition(":")
        own = [people_group(self.scope["user"].pk)]
        return [*own, job_group(thing_id)] if kind == "job" else own

    async def _may_see(self, topic: str) -> bool:
        """Whether the topic exists, and the person may see it."""
        kind, _, wanted = topic.partition(":")
        if kind not in TOPIC_MODELS:
            return topic in TOPICS
        thing_id = as_uuid(wanted)
        if thing_id is None:
            return False
        self.topic = f"{kind}:{thing_id}"
        visible = policy.visible_to(self.scope["user"], TOPIC_MODELS[kind].objects.all())
        return await runtime.in_reader(visible.filter(pk=thing_id).exists)

    async def signed_out(self, message: dict[str, Any]) -> None:
        """Close the socket when its session signs out, or, without a session key, when the person is deactivated."""
        session = self.scope.get("session")
        key = message["session_key"]
        if session is None or key is None or session.session_key == key:
            await self.close(SIGNED_OUT)

    async def job_commented(self, message: dict[str, Any]) -> None:
        """Let the page fetch the job's comments again, since permissions on a comment differ by person."""
        job_id = self.topic.partition(":")[2]
        # A number makes each message different, as htmx would ignore content that is already on the page.
        context = {"job_id": job_id, "number": next(self._comments)}
        await self.send(text_data=render_to_string("live/comments.html", context))

    async def mentions_changed(self, message: dict[str, Any]) -> None:
        """The number of unread mentions changed."""
        unread = await runtime.in_reader(comments.unread_count, self.scope["user"].pk)
        await self.send(
            text_data=render_to_string("shared/_mentions_bell.html", {"unread": unread, "oob": True})
        )

    async def role_changed(self, message: dict[str, Any]) -> None:
        """The person's role changed: render for the new role from here on."""
        self.scope["user"] = await runtime.in_reader(get_user_model().objects.get, pk=message["user_id"])
