"""Comments on a job, and the people that they mention. Each action writes an event."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from executions import policy
from executions.models import Comment, Event, Execution, Mention
from executions.models.event import Kind, Source
from executions.policy import Action, Actor
from executions.signals import job_commented

MAX_LENGTH = 4000  # characters
# Further names are ignored.
MAX_MENTIONS = 20
# A username after an @ that is not part of an email address.
MENTION = re.compile(r"(?<![\w.+-])@([\w.@+-]{1,150})")


class CommentRejected(ValueError):
    """The comment was not accepted; the message says why."""


def mentioned_names(text: str) -> list[str]:
    """The distinct usernames mentioned in a text, at most MAX_MENTIONS.

    Trailing punctuation (. @ + -) is not part of a name.
    """
    found: list[str] = []
    for match in MENTION.finditer(text):
        name = match[1].rstrip(".@+-")
        if name and name not in found:
            found.append(name)
    return found[:MAX_MENTIONS]


def write(execution: Execution, *, actor: Actor, text: str) -> Comment:
    """Add a comment and notify the people mentioned in it. Raises CommentRejected or NotAllowed."""
    author_id = policy.require_person(actor, Action.COMMENT_WRITE, execution)
    text = text.replace("\r\n", "\n").replace("\x00", "\ufffd").strip()
    if not text:
        raise CommentRejected("Write a comment first.")
    if len(text) > MAX_LENGTH:
        raise CommentRejected(
            f"Comments can have at most {MAX_LENGTH:,} characters. This one has {len(text):,}."
        )
    with transaction.atomic():
        comment = Comment.objects.create(execution=execution, author_id=author_id, text=text)
        people = get_user_model().objects.filter(is_active=True, username__in=mentioned_names(text))
        ids = list(people.exclude(pk=author_id).values_list("pk", flat=True))
        Mention.objects.bulk_create(Mention(comment=comment, person_id=pk) for pk in ids)
        _record(comment, author_id, {"comment": str(comment.pk)}, ids)
    return comment


def withdraw(comment_id: uuid.UUID, *, actor: Actor) -> bool:
    """Withdraw one's own comment, so that no page shows its text. False if it was withdrawn already.

    Raises NotAllowed.
    """
    author_id = policy.require_person(actor, Action.COMMENT_WITHDRAW, Comment.objects.get(pk=comment_id))
    with transaction.atomic():
        own = Comment.objects.filter(pk=comment_id, author_id=author_id, withdrawn_at=None)
        if not own.update(withdrawn_at=timezone.now()):
            return False
        comment = Comment.objects.select_related("execution").get(pk=comment_id)
        unread = Mention.objects.filter(comment=comment, seen_at=None)
        ids = list(unread.values_list("person", flat=True))
        unread.update(seen_at=timezone.now())
        _record(comment, author_id, {"comment": str(comment.pk), "withdrawn": True}, ids)
    return True


def for_job(execution: Execution) -> list[Comment]:
    """The job's comments, oldest first, with their authors and mentioned people."""
    rows = Comment.objects.filter(execution=execution).select_related("author")
    return list(rows.prefetch_related("mentions__person"))


def latest_mentions(person_id: int, limit: int) -> list[Mention]:
    """The latest mentions of a person, with comment and job, without withdrawn comments."""
    rows = Mention.objects.filter(person_id=person_id, comment__withdrawn_at=None)
    return list(rows.select_related("comment__author", "comment__execution").order_by("-id")[:limit])


def unread_count(person_id: int) -> int:
    return Mention.objects.filter(person_id=person_id, seen_at=None).count()


def has_unread(person_id: int, execution: Execution) -> bool:
    return Mention.objects.filter(person_id=person_id, seen_at=None, comment__execution=execution).exists()


def mark_read(actor: Actor, execution: Execution | None = None) -> int:
    """Mark the person's mentions as read, on one job or on all. Returns how many were unread."""
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    rows = Mention.objects.filter(person_id=person_id, seen_at=None)
    if execution is not None:
        rows = rows.filter(comment__execution=execution)
    return rows.update(seen_at=timezone.now())


def _record(comment: Comment, actor_id: int | None, detail: dict[str, Any], people: Iterable[int]) -> None:
    execution = comment.execution
    Event.objects.create(
        execution=execution,
        kind=Kind.COMMENTED,
        from_status=execution.status,
        to_status=execution.status,
        source=Source.PERSON,
        actor_id=actor_id,
        occurred_at=timezone.now(),
        detail=detail,
    )
    transaction.on_commit(
        partial(
            job_commented.send,
            sender=Comment,
            execution_id=execution.pk,
            owner_id=execution.created_by_id,
            people=list(people),
        )
    )
