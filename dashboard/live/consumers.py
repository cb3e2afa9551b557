"""The socket of a page: it hears of every change, and sends what its page shows of it."""

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
from dashboard.live.fanout import COME_BACK, fanout
from executions.core import runtime
from executions.models import Batch, Execution
from executions.team import comments

logger = logging.getLogger(__name__)

TOPICS = {"studio", "history", "rows", "gallery", "tiles", "batches", "queue"}
# Pages of one thing, by its id.
THINGS: dict[str, type[Execution] | type[Batch]] = {"job": Execution, "batch": Batch}
# A page is not reconnected by its script after these; after 1012 it is (docs/architecture.md).
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
            # Without its layer a page would hear nothing: it asks instead, and tries again.
            logger.warning("A page cannot be told of changes just now: %s", error)
            with suppress(Exception):
                await send({"type": "websocket.close", "code": COME_BACK})
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
        # From here on it is heard when the person is shut out; just before that it may have happened.
        if not await runtime.in_reader(get_user_model().objects.filter(pk=user.pk, is_active=True).exists):
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
        """What reaches this page beside the changes of jobs: news for its person, and for its job."""
        kind, _, thing_id = self.topic.partition(":")
        own = [people_group(self.scope["user"].pk)]
        return [*own, job_group(thing_id)] if kind == "job" else own

    async def _may_see(self, topic: str) -> bool:
        """The team sees each other's work; what is not there cannot be listened to."""
        kind, _, wanted = topic.partition(":")
        if kind not in THINGS:
            return topic in TOPICS
        thing_id = as_uuid(wanted)
        if thing_id is None:
            return False
        self.topic = f"{kind}:{thing_id}"
        return await runtime.in_reader(THINGS[kind].objects.filter(pk=thing_id).exists)

    async def person_left(self, message: dict[str, Any]) -> None:
        """What this page showed is no longer theirs to hear: signed out (only that session's sockets end), or shut out."""
        session = self.scope.get("session")
        key = message["session_key"]
        if session is None or key is None or session.session_key == key:
            await self.close(SIGNED_OUT)

    async def job_commented(self, message: dict[str, Any]) -> None:
        """Somebody spoke about the job: what each person may do with a comment differs, so the page asks for them."""
        job_id = self.topic.partition(":")[2]
        # What is on the page already is not put there again: each such message is another one.
        context = {"job_id": job_id, "number": next(self._comments)}
        await self.send(text_data=render_to_string("live/comments.html", context))

    async def person_called(self, message: dict[str, Any]) -> None:
        """Named in a comment, or no longer."""
        unread = await runtime.in_reader(comments.unread, self.scope["user"].pk)
        await self.send(
            text_data=render_to_string("shared/_mentions_bell.html", {"unread": unread, "oob": True})
        )

    async def person_changed(self, message: dict[str, Any]) -> None:
        """Another role: what is sent from here on is what that one sees."""
        self.scope["user"] = await runtime.in_reader(get_user_model().objects.get, pk=message["user_id"])
