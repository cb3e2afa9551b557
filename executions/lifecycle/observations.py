"""What can be learned about a job. Every way in (webhook, poll, answer, person) ends in one of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from executions.models import Input
from executions.models.event import Source
from executions.videogen import ToolResult


@dataclass(frozen=True, kw_only=True)
class Observation:
    """`at` is when it was so, by the clock of whoever said it."""

    source: Source
    at: datetime = field(default_factory=timezone.now)
    actor_id: int | None = None
    delivery_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class SubmissionStarted(Observation):
    """The request is about to leave: from now on the job may exist at VideoGen."""

    source: Source = Source.SYSTEM
    # The request as it leaves, where a chain has completed it, and what it was made from.
    body: dict[str, Any] | None = None
    made_from: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class SubmissionDeferred(Observation):
    """The request certainly started nothing, and may be sent again at `next_attempt_at`."""

    source: Source = Source.RESPONSE
    reason: str
    next_attempt_at: datetime
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rejected(Observation):
    """VideoGen said no, and will say no again: the job has failed to start."""

    source: Source = Source.RESPONSE
    error: dict[str, Any]
    answer: Any = None


@dataclass(frozen=True, kw_only=True)
class ResponseLost(Observation):
    """The request left, and what became of it is unknown."""

    source: Source = Source.RESPONSE
    reason: str


@dataclass(frozen=True, kw_only=True)
class Accepted(Observation):
    """VideoGen took the job and named it."""

    source: Source = Source.RESPONSE
    remote_id: str
    answer: Any = None


@dataclass(frozen=True, kw_only=True)
class StatusReported(Observation):
    """VideoGen told a status: by webhook, or when asked."""

    status: str
    progress: float | None = None
    attempt: int | None = None
    results: tuple[ToolResult, ...] = ()
    error: dict[str, Any] | None = None
    answer: Any = None


@dataclass(frozen=True, kw_only=True)
class CancelRequested(Observation):
    """A person wants it stopped. `reason` is why, in their own words; at most 200 characters are kept."""

    source: Source = Source.PERSON
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class CancelAccepted(Observation):
    """VideoGen took the wish; how the race ends is told later (docs/api-notes.md#cancelling)."""

    source: Source = Source.RESPONSE


@dataclass(frozen=True, kw_only=True)
class PauseRequested(Observation):
    """A person wants it not to be sent for now."""

    source: Source = Source.PERSON


@dataclass(frozen=True, kw_only=True)
class ResumeRequested(Observation):
    """A person wants it to be sent after all."""

    source: Source = Source.PERSON


@dataclass(frozen=True, kw_only=True)
class PrioritizeRequested(Observation):
    """A person wants it to be sent before everything else that waits."""

    source: Source = Source.PERSON


@dataclass(frozen=True, kw_only=True)
class Edited(Observation):
    """A person asks for something else than `before`, which is what they saw."""

    source: Source = Source.PERSON
    before: dict[str, Any]
    body: dict[str, Any]
    title: str = ""
    fingerprint: str = ""
    inputs: tuple[Input, ...] = ()
