"""A job as pages show it: everything a template needs, computed once, for one kind of viewer."""

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

# The kinds of viewers. A change is rendered once for each kind, not once for each person.
OWNER, ADMIN, TEAM = "owner", "admin", "team"
AUDIENCES = (OWNER, ADMIN, TEAM)
# Later takes load when the page is scrolled to them.
MAX_EAGER_RESULTS = 4
# The badge of a queued job that a person paused.
PAUSED = statuses.StatusBadge("paused", "circle-pause", statuses.QUEUED)


def audience(user: Any, owner_id: int | None) -> str:
    """Which of the audiences `user` belongs to for a job of `owner_id`."""
    if owner_id is not None and user.pk == owner_id:
        return OWNER
    return ADMIN if policy.role_of(user) is Role.ADMIN else TEAM


def allows(audience: str, action: Action) -> bool:
    """The policy for everyone in the audience. The admins' setting is cached and may be a moment old."""
    role = Role.ADMIN if audience == ADMIN else Role.MEMBER
    return policy.allows(role, action, is_own=audience == OWNER, team_cancels=_team_cancels)


def _team_cancels() -> bool:
    return bool(team_settings.get(team_settings.TEAM_CANCELS))


@dataclass(frozen=True)
class ResultCard:
    """One result of a job. Its links do not expire: they redirect to a newly signed URL."""

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

    @property
    def shape(self) -> str:
        """wide, tall or square; empty if the size is unknown."""
        if not self.width or not self.height:
            return ""
        if self.width == self.height:
            return "square"
        return "wide" if self.width > self.height else "tall"

    @property
    def loads_lazily(self) -> bool:
        return self.number > MAX_EAGER_RESULTS

    @cached_property
    def uses(self) -> list[tuple[str, str, str]]:
        return uses(self.type, self.remote_id)


def uses(media: str, remote_id: str) -> list[tuple[str, str, str]]:
    """The tools that accept a file: (label, icon, URL of the form with the file filled in)."""
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
    results: tuple[ResultCard, ...]
    snapshot: QueueSnapshot

    def load(self) -> None:
        """Read what the job's own page, the studio and the queue show beyond a list of jobs."""
        _ = self.may_cancel, self.place, self.next_try, self.typical_duration

    def seen_by(self, audience: str) -> Card:
        """The same card for another audience; the results are shared."""
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
        """Has a new key for each rendered button, so that pressing a button twice starts one job."""
        return with_query(reverse("execution-again", args=[self.id]), {"key": secrets.token_urlsafe(9)})

    @property
    def status(self) -> str:
        return self.execution.status

    @property
    def title(self) -> str:
        """The prompt, or a substitute where there is none."""
        if self.execution.prompt:
            return self.execution.prompt
        return f"{self.tool.label} {'started outside Rushes' if self.is_external else 'without a prompt'}"

    @property
    def is_external(self) -> bool:
        """Whether it was started outside Rushes, so that its settings are not known here."""
        return self.execution.origin == Execution.Origin.EXTERNAL

    @property
    def is_final(self) -> bool:
        return self.status in statuses.TERMINAL

    @property
    def has_several_results(self) -> bool:
        return len(self.results) > 1

    @property
    def requested_takes(self) -> int:
        """The number of takes that the request asks for; 0 if it does not say."""
        return int(self.execution.request_body.get("numResults") or 0)

    @property
    def requests_several_takes(self) -> bool:
        return self.requested_takes > 1

    @property
    def is_mine(self) -> bool:
        return self.audience == OWNER

    @property
    def who(self) -> str:
        if self.is_mine:
            return "you"
        return self.execution.created_by.get_username() if self.execution.created_by else "external"

    @property
    def is_cancelling(self) -> bool:
        return self.execution.cancel_requested_at is not None and not self.is_final

    @cached_property
    def may_cancel(self) -> bool:
        return (
            not self.is_final
            and not self.is_cancelling
            and self.status != statuses.UNCONFIRMED
            and allows(self.audience, Action.JOB_CANCEL)
        )

    @property
    def may_start_again(self) -> bool:
        """Anyone may run a finished job again; only its owner an unconfirmed one, which may then run twice."""
        if self.status == statuses.UNCONFIRMED:
            return allows(self.audience, Action.JOB_RESTART_UNCONFIRMED)
        return (
            self.is_final
            and allows(self.audience, Action.JOB_RESTART)
            and self.execution.tool in tools.available()
            and not self.is_external
        )

    @property
    def may_export_evidence(self) -> bool:
        return allows(self.audience, Action.JOB_EXPORT_EVIDENCE)

    @property
    def cancel(self) -> cancellation.Cancellation | None:
        """Its cancellation, if a cancel was requested."""
        return cancellation.cancellation(self.execution)

    @property
    def progress(self) -> int | None:
        """Percent of the current attempt as VideoGen reports it, while the job runs; None if unknown, never estimated."""
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
        """Seconds from its creation here to its end."""
        end = self.execution.ended_at
        return max(0.0, (end - self.execution.created_at).total_seconds()) if end else None

    # --- while it is queued -------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Whether it has not been sent, so that it can be paused, edited and moved to the front."""
        return self.execution.is_to_send

    @property
    def is_paused(self) -> bool:
        return self.is_waiting and self.execution.paused_at is not None

    @property
    def may_queue(self) -> bool:
        """Whether the viewer may pause, resume and prioritise it: its owner and admins."""
        return self.is_waiting and allows(self.audience, Action.JOB_PAUSE)

    @property
    def may_move_to_front(self) -> bool:
        return self.may_queue and not self.is_paused and self.place != 1

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
        """When the hourly limit allows it to be sent; None if it is held back by anything else."""
        if not self.is_waiting or self.is_paused or self._before is not None or self.snapshot.queue.paused_at:
            return None
        return self.snapshot.held_until(self.execution)

    @property
    def _before(self) -> Execution | None:
        """The unfinished job whose result it needs."""
        before = self.execution.after
        return before if before is not None and self.is_waiting and before.ended_at is None else None

    @cached_property
    def place(self) -> int | None:
        """Its place in the queue, from 1."""
        if not self.is_waiting or self.is_paused or self.snapshot.queue.paused_at:
            return None
        return self.snapshot.position(self.execution)

    @cached_property
    def typical_duration(self) -> estimates.TypicalDuration | None:
        """The typical duration of such jobs, until this one runs."""
        if self.status not in (statuses.QUEUED, statuses.PENDING):
            return None
        return estimates.typical_duration(self.execution.tool)

    @cached_property
    def next_try(self) -> datetime | None:
        """When sending is tried next; None if the job is held back by a pause or by another job."""
        if self.status != statuses.QUEUED or not self.note or self.is_paused or self.snapshot.queue.paused_at:
            return None
        if self._before is not None:
            return None
        return self._held_until or self.execution.next_attempt_at

    @cached_property
    def note(self) -> str:
        """Why it is queued or unconfirmed, as a message."""
        if self.is_final:
            return ""
        if self.is_paused:
            return "Sent when resumed."
        if self.is_waiting and self.snapshot.queue.paused_at:
            by = self.snapshot.queue.paused_by
            return f"The whole queue is paused{f' by {by.get_username()}' if by else ''}"
        if self._before is not None:
            label = tools.find(self._before.tool).label.lower()
            return f"Waiting for its {label}."
        if self._held_until is not None and not self.execution.note:
            return "the hourly limit is used up"
        return self.execution.note

    @property
    def error(self) -> dict[str, Any]:
        """{message, code, requirement: {type, details}, internal_error_code}; empty without an error."""
        return self.execution.error or {}

    @property
    def answers(self) -> list[tuple[str, str]]:
        """VideoGen's unmodified responses: (label, JSON)."""
        responses = (
            ("Response to the start", self.execution.start_answer),
            ("Latest status response", self.execution.last_answer),
        )
        return [(label, pretty(response)) for label, response in responses if response is not None]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return self.tool.parameters(self.execution.request_body)


def pretty(value: Any) -> str:
    """Indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def result_card(result: Result) -> ResultCard:
    file = result.file
    return ResultCard(
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
        results=tuple(result_card(result) for result in execution.results.all()),
        snapshot=snapshot or QueueSnapshot(),
    )


def cards_for(
    user: Any, executions: Iterable[Execution], snapshot: QueueSnapshot | None = None
) -> list[Card]:
    snapshot = snapshot or QueueSnapshot()
    return [card(execution, audience(user, execution.created_by_id), snapshot) for execution in executions]


def loaded_cards(
    user: Any, executions: Iterable[Execution], snapshot: QueueSnapshot | None = None
) -> list[Card]:
    """Cards for the studio and the queue."""
    cards = cards_for(user, executions, snapshot)
    for each in cards:
        each.load()
    return cards
