"""How pages show comments, and how new ones are published to open pages."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from dashboard.http.history_links import history_url
from executions import policy
from executions.core import sync_bridge
from executions.models import Comment, Execution
from executions.policy import Action
from executions.signals import job_commented
from executions.team import comments

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CommentCard:
    """A comment as one person sees it."""

    comment: Comment
    person: Any

    @property
    def who(self) -> str:
        author = self.comment.author
        return "you" if author.pk == self.person.pk else author.get_username()

    @property
    def may_withdraw(self) -> bool:
        is_shown = self.comment.withdrawn_at is None
        return is_shown and policy.can(self.person, Action.COMMENT_WITHDRAW, self.comment)


def comments_context(person: Any, execution: Execution, **more: Any) -> dict[str, Any]:
    """The template context for a job's comments. Marks the person's mentions in them as read."""
    if comments.has_unread(person.pk, execution):
        comments.mark_read(person, execution)
    return {
        "job_id": execution.pk,
        "comments": [CommentCard(comment, person) for comment in comments.for_job(execution)],
        "max_length": comments.MAX_LENGTH,
        **more,
    }


def job_group(execution_id: object) -> str:
    """The channel group of pages that show this job."""
    return f"job.{execution_id}"


def people_group(user_id: int) -> str:
    """The channel group of all pages of this person."""
    return f"person.{user_id}"


def listen() -> None:
    job_commented.connect(on_comment, dispatch_uid="dashboard.live.comments")


def on_comment(*, execution_id: uuid.UUID, people: list[int], **_: Any) -> None:
    """Runs after the commit, in the thread that wrote the comment."""
    if sync_bridge.spawn(_publish, execution_id, people) is None and settings.REDIS_URL:
        sync_bridge.run(_publish, execution_id, people)


async def _publish(execution_id: uuid.UUID, people: Iterable[int]) -> None:
    """Notify open pages. Pages that miss it catch up when they refetch."""
    layer = get_channel_layer()
    try:
        # The job's page first, so that a person who has it open has read the comment before the notification.
        await layer.group_send(job_group(execution_id), {"type": "job.commented"})
        for person_id in people:
            await layer.group_send(people_group(person_id), {"type": "mentions.changed"})
    except Exception as error:
        logger.warning("Could not publish a comment to open pages: %s", error)


def comment_html(comment: Comment) -> SafeString:
    """The text of a comment as HTML: escaped, with mentioned people linked to their jobs."""
    mentioned = {each.person.get_username(): each.person_id for each in comment.mentions.all()}
    parts: list[str] = []
    done = 0
    for match in comments.MENTION.finditer(comment.text):
        name = match[1].rstrip(".@+-")
        if name in mentioned:
            parts.append(escape(comment.text[done : match.start()]))
            url = history_url({"person": str(mentioned[name])})
            parts.append(format_html('<a class="comment-mention" href="{}">@{}</a>', url, name))
            done = match.start() + 1 + len(name)
    parts.append(escape(comment.text[done:]))
    return mark_safe("".join(parts))
