"""Observations: everything that can be learned about a job, whether from a webhook, a poll, a response or a person."""

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
    """`at` is when it happened, by the clock of the source."""

    source: Source
    at: datetime = field(default_factory=timezone.now)
    actor_id: int | None = None
    delivery_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class SubmissionStarted(Observation):
    """The request is about to be sent: from now on the job may exist at VideoGen."""

    source: Source = Source.SYSTEM
    body: dict[str, Any] | None = None
    """The request that is sent, if it differs from the stored one because a chain completed it."""
    based_on: dict[str, Any] | None = None
    """The stored request that `body` was built from."""


@dataclass(frozen=True, kw_only=True)
class SubmissionDeferred(Observation):
    """The request started nothing, for certain, and may be sent again at `next_attempt_at`."""

    source: Source = Source.RESPONSE
    reason: str
    next_attempt_at: datetime
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SubmissionRejected(Observation):
    """VideoGen rejected the request for good: the job has failed to start."""

    source: Source = Source.RESPONSE
    error: dict[str, Any]
    answer: Any = None


@dataclass(frozen=True, kw_only=True)
class SubmissionUnconfirmed(Observation):
    """The request was sent, and its outcome is unknown."""

    source: Source = Source.RESPONSE
    reason: str


@dataclass(frozen=True, kw_only=True)
class Accepted(Observation):
    """VideoGen accepted the job and gave it an id."""

    source: Source = Source.RESPONSE
    remote_id: str
    answer: Any = None


@dataclass(frozen=True, kw_only=True)
class StatusReported(Observation):
    """VideoGen reported a status, by webhook or in response to a poll."""

    status: str
    progress: float | None = None
    attempt: int | None = None
    results: tuple[ToolResult, ...] = ()
    error: dict[str, Any] | None = None
    answer: Any = None


@dataclass(frozen=True, kw_only=True)
class CancelRequested(Observation):
    """A person requested to cancel the job. `reason` is their explanation, at most 200 characters."""

    source: Source = Source.PERSON
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class CancelAccepted(Observation):
    """VideoGen accepted the cancel request. It reports the outcome later (docs/api-notes.md#cancelling)."""

    source: Source = Source.RESPONSE


@dataclass(frozen=True, kw_only=True)
class PauseRequested(Observation):
    """A person paused the job: it is not sent until it is resumed."""

    source: Source = Source.PERSON


@dataclass(frozen=True, kw_only=True)
class ResumeRequested(Observation):
    """A person resumed the paused job."""

    source: Source = Source.PERSON


@dataclass(frozen=True, kw_only=True)
class PrioritiseRequested(Observation):
    """A person moved the job to the front of the queue."""

    source: Source = Source.PERSON


@dataclass(frozen=True, kw_only=True)
class Edited(Observation):
    """A person edited the request. `before` is the version that they saw."""

    source: Source = Source.PERSON
    before: dict[str, Any]
    body: dict[str, Any]
    title: str = ""
    fingerprint: str = ""
    inputs: tuple[Input, ...] = ()
