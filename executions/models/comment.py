"""Comments of the team on a job. A comment never changes; its author may withdraw it, which the page shows."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone

from executions.core.ids import uuid7
from executions.models.execution import Execution


class CommentQuerySet(models.QuerySet["Comment"]):
    def delete(self) -> NoReturn:
        raise TypeError("Comments are withdrawn, never deleted.")


class Comment(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="comments")
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True)

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["execution", "id"], name="comment_of_execution")]

    def __str__(self) -> str:
        return f"{self.author_id} on {self.execution_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A comment is never changed: executions.team.comments.withdraw marks it.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Comments are withdrawn, never deleted.")


class Mention(models.Model):
    """A person mentioned in a comment, and when they read it."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="mentions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mentions")
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comment", "person"], name="mention_once")]
        indexes = [
            models.Index(fields=["person", "-id"], name="mention_of_person"),
            models.Index(fields=["person"], name="mention_unread", condition=models.Q(seen_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.comment_id}"
