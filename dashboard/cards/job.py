"""A job as the pages show it: everything a template needs, computed once, for one kind of viewer."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from django.urls import reverse

from dashboard.cards import cancellation
from dashboard.http.query_urls import with_query
from executions import policy, statuses, tools
from executions.lifecycle import estimates
from executions.lifecycle.estimates import QueueSnapshot
from executions.models import Execution, Result
from executions.policy import Action, Role
from executions.team import settings as team_settings

# Who looks. A change is rendered once for each of these, not once for each person.
OWNER, ADMIN, TEAM = "owner", "admin", "team"
AUDIENCES = (OWNER, ADMIN, TEAM)
# A job that somebody keeps back.
PAUSED = statuses.StatusBadge("paused", "circle-pause", statuses.QUEUED)


def audience(user: Any, owner_id: int | None) -> str:
    """Which of the audiences `user` belongs to for a job of `owner_id`."""
    if owner_id is not None and user.pk == owner_id:
        return OWNER
    return ADMIN if policy.role_of(user) is Role.ADMIN else TEAM


def may_stop(audience: str) -> bool:
    """Whether the audience is shown the way to cancel: all of them where admins have chosen so."""
    return allows(audience, Action.JOB_CANCEL)


def allows(audience: str, action: Action) -> bool:
    """What the policy says of everyone in the audience, by the admins' choice as it was a moment ago."""
    role = Role.ADMIN if audience == ADMIN else Role.MEMBER
    return policy.allows(role, action, is_own=audience == OWNER, team_cancels=_team_cancels)


def _team_cancels() -> bool:
    return bool(team_settings.chosen(team_settings.TEAM_CANCELS))


@dataclass(frozen=True)
class Take:
    """One result of a job. The links never expire; they lead to a freshly signed address."""

    id: str
    remote_id: str
    number: int
    type: str
    name: str
    duration: float | None
    width: int | None
    height: int | None
    preview_url: str
    thumbnail_url: str
    download_url: str

    @cached_property
    def uses(self) -> list[tuple[str, str, str]]:
        return uses(self.type, self.remote_id)


def uses(media: str, remote_id: str) -> list[tuple[str, str, str]]:
    """What a file can be used in: (the tool's label, its icon, its form with the file filled in)."""
    if not media:
        return []
    query = {"file": remote_id}
    return [
        (tool.label, tool.icon, with_query(_form_url(tool.slug), query)) for tool in tools.accepting(media)
    ]


@cache
def _form_url(slug: str) -> str:
    return reverse("tool", args=[slug])


@dataclass(frozen=True)
class Card:
    """A job for one audience."""

    execution: Execution
    tool: tools.Tool
    badge: statuses.StatusBadge
    audience: str
    takes: tuple[Take, ...]
    snapshot: QueueSnapshot

    def seen_by(self, audience: str) -> Card:
        """The same for others, with the takes that were made once."""
        return replace(self, audience=audience)

    @property
    def id(self) -> str:
        return str(self.execution.pk)

    @cached_property
    def url(self) -> str:
        return reverse("execution", args=[self.id])

    @property
    def cancel_url(self) -> str:
        return reverse("execution-cancel", args=[self.id])

    @property
    def again_url(self) -> str:
        """Its key is one for each time the button is drawn: pressed twice, it starts one job."""
        return f"{reverse('execution-again', args=[self.id])}?key={secrets.token_urlsafe(9)}"

    @property
    def status(self) -> str:
        return self.execution.status

    @property
    def title(self) -> str:
        """The prompt, or what stands in its place."""
        if self.execution.prompt:
            return self.execution.prompt
        return f"{self.tool.label} {'from elsewhere' if self.is_from_elsewhere else 'without words'}"

    @property
    def is_from_elsewhere(self) -> bool:
        """Started by a script, or by VideoGen's own tools: what was asked for is not known here."""
        return self.execution.origin == Execution.Origin.EXTERNAL

    @property
    def is_final(self) -> bool:
        return self.status in statuses.TERMINAL

    @property
    def is_mine(self) -> bool:
        return self.audience == OWNER

    @property
    def who(self) -> str:
        if self.is_mine:
            return "you"
        return self.execution.created_by.get_username() if self.execution.created_by else "elsewhere"

    @property
    def is_cancelling(self) -> bool:
        return self.execution.cancel_requested_at is not None and not self.is_final

    @property
    def may_cancel(self) -> bool:
        return (
            may_stop(self.audience)
            and not self.is_final
            and not self.is_cancelling
            and self.status != statuses.UNCONFIRMED
        )

    @property
    def may_start_again(self) -> bool:
        """What has ended, by anybody. A lost answer is repeated by its owner alone, who decides knowingly."""
        if self.status == statuses.UNCONFIRMED:
            return allows(self.audience, Action.JOB_RESTART_UNCONFIRMED)
        return (
            self.is_final
            and allows(self.audience, Action.JOB_RESTART)
            and self.execution.tool in tools.available()
            and not self.is_from_elsewhere
        )

    @property
    def may_take_evidence(self) -> bool:
        return allows(self.audience, Action.JOB_TAKE_EVIDENCE)

    @property
    def cancel(self) -> cancellation.Cancel | None:
        """The story of its cancel, if one was asked for."""
        return cancellation.told(self.execution)

    @property
    def progress(self) -> int | None:
        """Percent of the current attempt while it runs, as VideoGen tells it; never made up."""
        if self.status != statuses.RUNNING or self.execution.progress is None:
            return None
        return round(self.execution.progress)

    @property
    def began(self) -> datetime:
        return self.execution.created_at

    @property
    def ended(self) -> datetime | None:
        return self.execution.ended_at

    @property
    def seconds(self) -> float | None:
        """How long it took from the start here to its end, in seconds."""
        end = self.execution.ended_at
        return max(0.0, (end - self.execution.created_at).total_seconds()) if end else None

    # --- while it waits -----------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Still ours alone: it can be paused, changed and moved to the front."""
        return self.execution.is_to_send

    @property
    def is_paused(self) -> bool:
        return self.is_waiting and self.execution.paused_at is not None

    @property
    def may_queue(self) -> bool:
        """Its owner and admins say when it is sent, and what."""
        return self.is_waiting and allows(self.audience, Action.JOB_PAUSE)

    @property
    def may_edit(self) -> bool:
        return (
            self.may_queue
            and allows(self.audience, Action.JOB_EDIT)
            and self.execution.after_id is None
            and self.execution.tool in tools.available()
        )

    @cached_property
    def _held_until(self) -> datetime | None:
        """When VideoGen's hourly limit lets it go; what waits for something else of its own is not asked about."""
        if not self.is_waiting or self.is_paused or self._before is not None or self.snapshot.queue.paused_at:
            return None
        return self.snapshot.held_until(self.execution)

    @property
    def _before(self) -> Execution | None:
        """The job whose result it needs, as long as that has not ended."""
        before = self.execution.after
        return before if before is not None and self.is_waiting and before.ended_at is None else None

    @property
    def place(self) -> int | None:
        """Its place among those that wait to be sent, from 1."""
        if not self.is_waiting or self.is_paused or self.snapshot.queue.paused_at:
            return None
        return self.snapshot.position(self.execution)

    @cached_property
    def typical_duration(self) -> estimates.TypicalDuration | None:
        """How long such jobs ran lately, while this one has not begun to."""
        if self.status not in (statuses.QUEUED, statuses.PENDING):
            return None
        return estimates.typical_duration(self.execution.tool)

    @property
    def next_try(self) -> datetime | None:
        """When a waiting job is sent next, if it may not be sent now."""
        if self.status != statuses.QUEUED or not self.note or self.is_paused or self.snapshot.queue.paused_at:
            return None
        return self._held_until or self.execution.next_attempt_at

    @property
    def note(self) -> str:
        """Why the job is waiting, or why there is no response yet, as a message."""
        if self.is_final:
            return ""
        if self.is_paused:
            return "It is sent when it is resumed."
        if self.is_waiting and self.snapshot.queue.paused_at:
            by = self.snapshot.queue.paused_by
            return f"The whole queue is paused{f' by {by.get_username()}' if by else ''}"
        if self._before is not None:
            label = tools.find(self._before.tool).label.lower()
            return f"Waits for its {label}, which is {statuses.badge(self._before.status).label}."
        if self._held_until is not None and not self.execution.note:
            return "the hourly limit is used up"
        return self.execution.note

    @property
    def error(self) -> dict[str, Any]:
        """{message, code, requirement: {type, details}, internal_error_code}; empty when nothing went wrong."""
        return self.execution.error or {}

    @property
    def answers(self) -> list[tuple[str, str]]:
        """What VideoGen said, word for word: (when, JSON)."""
        told = (
            ("Answer to the start", self.execution.start_answer),
            ("Last told", self.execution.last_answer),
        )
        return [(label, pretty(answer)) for label, answer in told if answer is not None]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return self.tool.parameters(self.execution.request_body)


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def take(result: Result) -> Take:
    file = result.file
    return Take(
        id=str(file.pk),
        remote_id=file.remote_id,
        number=result.position + 1,
        type=file.type,
        name=file.display_name,
        duration=file.duration,
        width=file.width,
        height=file.height,
        preview_url=reverse("file-preview", args=[file.pk]),
        thumbnail_url=reverse("file-thumbnail", args=[file.pk]),
        download_url=reverse("file-download", args=[file.pk]),
    )


def card(execution: Execution, audience: str, snapshot: QueueSnapshot | None = None) -> Card:
    """The execution must carry `created_by` and `results` with their files (`Execution.objects.for_cards()`).

    `snapshot` is the state of the queue, shared by many cards.
    """
    is_paused = execution.is_to_send and execution.paused_at is not None
    return Card(
        execution=execution,
        tool=tools.find(execution.tool),
        badge=PAUSED if is_paused else statuses.badge(execution.status),
        audience=audience,
        takes=tuple(take(result) for result in execution.results.all()),
        snapshot=snapshot or QueueSnapshot(),
    )


def cards_for(
    user: Any, executions: Iterable[Execution], snapshot: QueueSnapshot | None = None
) -> list[Card]:
    snapshot = snapshot or QueueSnapshot()
    return [card(execution, audience(user, execution.created_by_id), snapshot) for execution in executions]
