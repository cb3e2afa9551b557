"""What the team says about a job: written, withdrawn, and who is named in it. Each act leaves an event."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from executions import policy
from executions.models import Comment, Event, Execution, Mention
from executions.models.event import Kind, Source
from executions.policy import Action, Actor
from executions.signals import job_commented

LONGEST = 4000  # characters
# As many are looked up; who writes more names does not mean them.
MOST_MENTIONS = 20
# The characters of a username, after an @ that is no part of an address.
NAMED = re.compile(r"(?<![\w.+-])@([\w.@+-]{1,150})")


class Refused(ValueError):
    """It was not written; the message says why, for the person."""


def mentioned(text: str) -> list[str]:
    """The names that a text calls, as they are written, each once; a full stop at the end belongs to the sentence."""
    found: list[str] = []
    for match in NAMED.finditer(text):
        name = match[1].rstrip(".@+-")
        if name and name not in found:
            found.append(name)
    return found[:MOST_MENTIONS]


def write(execution: Execution, *, actor: Actor, text: str) -> Comment:
    """Write a comment and tell whoever is named in it. Raises Refused, NotAllowed."""
    author_id = policy.require_person(actor, Action.COMMENT_WRITE, execution)
    text = text.replace("\r\n", "\n").replace("\x00", "\ufffd").strip()
    if not text:
        raise Refused("Write something first.")
    if len(text) > LONGEST:
        raise Refused(f"At most {LONGEST:,} characters, please: these are {len(text):,}.")
    with transaction.atomic():
        comment = Comment.objects.create(execution=execution, author_id=author_id, text=text)
        people = get_user_model().objects.filter(is_active=True, username__in=mentioned(text))
        ids = list(people.exclude(pk=author_id).values_list("pk", flat=True))
        Mention.objects.bulk_create(Mention(comment=comment, person_id=pk) for pk in ids)
        _tell(comment, author_id, {"comment": str(comment.pk)}, ids)
    return comment


def withdraw(comment_id: uuid.UUID, *, actor: Actor) -> bool:
    """Mark one's own comment as withdrawn: its words are on none of the team's pages any more. False when there was nothing to do."""
    author_id = policy.require_person(actor, Action.COMMENT_WITHDRAW, Comment.objects.get(pk=comment_id))
    with transaction.atomic():
        own = Comment.objects.filter(pk=comment_id, author_id=author_id, withdrawn_at=None)
        if not own.update(withdrawn_at=timezone.now()):
            return False
        comment = Comment.objects.select_related("execution").get(pk=comment_id)
        unread = Mention.objects.filter(comment=comment, seen_at=None)
        ids = list(unread.values_list("person", flat=True))
        unread.update(seen_at=timezone.now())
        _tell(comment, author_id, {"comment": str(comment.pk), "withdrawn": True}, ids)
    return True


def of(execution: Execution) -> QuerySet[Comment]:
    """The job's comments, the first one first, with their authors and whom they name."""
    return (
        Comment.objects.filter(execution=execution)
        .select_related("author")
        .prefetch_related("mentions__person")
    )


def mentions_of(person_id: int, limit: int) -> list[Mention]:
    """The latest comments that name a person, with their jobs; what was withdrawn is left out."""
    rows = Mention.objects.filter(person_id=person_id, comment__withdrawn_at=None)
    return list(rows.select_related("comment__author", "comment__execution").order_by("-id")[:limit])


def unread(person_id: int) -> int:
    return Mention.objects.filter(person_id=person_id, seen_at=None).count()


def mentions_unseen(person_id: int, execution: Execution) -> bool:
    return Mention.objects.filter(person_id=person_id, seen_at=None, comment__execution=execution).exists()


def see(actor: Actor, execution: Execution | None = None) -> int:
    """A person has seen where they are named: on one job's page, or all. How many were new."""
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    rows = Mention.objects.filter(person_id=person_id, seen_at=None)
    if execution is not None:
        rows = rows.filter(comment__execution=execution)
    return rows.update(seen_at=timezone.now())


def _tell(comment: Comment, actor_id: int | None, detail: dict[str, Any], people: Iterable[int]) -> None:
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
