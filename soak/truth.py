"""Compares what the history says with what really became of every job and every delivery."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Q
from django.utils import timezone

from executions.models import Event, Execution, Result, WebhookDelivery
from executions.models.event import Kind, Source
from executions.models.webhook_delivery import Outcome
from executions.statuses import TERMINAL, UNCONFIRMED
from soak.site import Site

# A message that is in one of these states will be sent (again).
ON_ITS_WAY = {"waiting", "held"}
# A wait that is not worth cutting short.
SOON = timedelta(seconds=5)


@dataclass(frozen=True)
class Line:
    """One line of the table. `wrong` names what is off; None for what is told without a promise."""

    what: str
    figure: str
    wrong: list[str] | None = None


def hasten() -> None:
    """Let the time pass until each job's next look. How long those waits are is tested elsewhere."""
    now = timezone.now()
    waiting = Execution.objects.filter(ended_at=None, next_attempt_at__gt=now + SOON)
    waiting.filter(Q(leased_until=None) | Q(leased_until__lte=now)).update(next_attempt_at=now)


def settled(site: Site, seconds: float, *, hastened: bool = False) -> bool:
    """Wait until nothing waits for anything but a person, here and there; False when it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if hastened:
                hasten()
            is_still = not Execution.objects.filter(ended_at=None).exclude(status=UNCONFIRMED).exists()
        except DatabaseError:
            connection.close()
            is_still = False
        if is_still and all(each["endedAt"] for each in site.control("GET", "truth")["executions"]):
            messages = site.control("GET", "deliveries")["deliveries"]
            # What is forged is forged, and refused, each time that it comes, until it is given up.
            if not any(each["status"] in ON_ITS_WAY and not is_forged(each) for each in messages):
                return True
        # Two databases of other processes: nothing tells of a change in either.
        time.sleep(0.5)
    return False


def is_refused(message: dict[str, Any]) -> bool:
    return any(attempt["status"] == 401 for attempt in message["attempts"])


def is_forged(message: dict[str, Any]) -> bool:
    """Somebody else's, as far as we can tell."""
    return any("forged" in attempt for attempt in message["attempts"])


class Truth:
    """Both sides, read once everything is settled."""

    def __init__(self, site: Site, keys: set[str]) -> None:
        self.keys = keys
        self.there = {each["toolExecutionId"]: each for each in site.control("GET", "truth")["executions"]}
        self.messages = {each["webhookId"]: each for each in site.control("GET", "deliveries")["deliveries"]}
        self.rows = list(Execution.objects.order_by("id"))
        self.ours = [row for row in self.rows if row.origin != Execution.Origin.ELSEWHERE]
        self.deliveries = {row.webhook_id: row for row in WebhookDelivery.objects.all()}
        self.events: dict[Any, list[Event]] = {}
        for event in Event.objects.filter(execution__isnull=False).order_by("id"):
            self.events.setdefault(event.execution_id, []).append(event)
        self.results: dict[Any, list[str]] = {}
        found = Result.objects.order_by("position").values_list("execution_id", "file__remote_id")
        for execution_id, file_id in found:
            self.results.setdefault(execution_id, []).append(file_id)

    def lines(self) -> list[Line]:
        statuses = Counter(row.status for row in self.ours)
        kept = Counter(row.outcome for row in self.deliveries.values())
        sent = Counter(each["status"] for each in self.messages.values())
        return [
            Line("jobs: forms sent, rows here", f"{len(self.keys)}, {len(self.ours)}", self._not_once()),
            Line("jobs by their end here", told(statuses), self._open()),
            Line("jobs there", f"{len(self.there)}", self._nowhere()),
            Line("jobs whose end or results differ", "", self._different()),
            Line("jobs sent twice, or ended other than once", "", self._doubled()),
            Line("jobs of ours that were taken for others'", "", self._taken_for_others()),
            Line("messages there", told(sent), self._not_kept()),
            Line("messages refused, forged", self._refused_and_forged(), self._refused_wrongly()),
            Line("deliveries here", told(kept), self._not_sent()),
            Line("ends told by webhook, deliveries applied", self._ends_told(), self._applied_otherwise()),
        ]

    # --- jobs -----------------------------------------------------------------------------------------------

    def _not_once(self) -> list[str]:
        # The key that is kept is the form's, and what was in the form.
        rows = Counter((row.idempotency_key or "").partition(".")[0] for row in self.ours)
        return [f"{key}: {rows[key]} rows" for key in self.keys | rows.keys() if rows[key] != 1]

    def _open(self) -> list[str]:
        return [str(row) for row in self.rows if row.status not in {*TERMINAL, UNCONFIRMED}]

    def _nowhere(self) -> list[str]:
        """Of each tool no more may be known to nobody here than there are starts in doubt."""
        known = {row.remote_id for row in self.rows}
        lost = Counter(each["tool"] for remote_id, each in self.there.items() if remote_id not in known)
        in_doubt = Counter(row.tool for row in self.ours if row.status == UNCONFIRMED)
        return [
            f"{tool}: {count} there, {in_doubt[tool]} in doubt" for tool, count in (lost - in_doubt).items()
        ]

    def _different(self) -> list[str]:
        wrong = []
        for row in self.rows:
            if row.remote_id is None:
                continue
            there = self.there.get(row.remote_id)
            if there is None or (row.status, row.tool) != (there["status"], there["tool"]):
                wrong.append(f"{row}: there {there and there['status']}")
            elif self.results.get(row.pk, []) != [each["fileId"] for each in there["results"] or []]:
                wrong.append(f"{row}: its results")
            elif row.prompt and row.origin != Execution.Origin.ELSEWHERE and not _is_of(row, there):
                wrong.append(f"{row}: another's")
        return wrong

    def _doubled(self) -> list[str]:
        wrong = []
        for row in self.rows:
            events = self.events.get(row.pk, [])
            kinds = Counter(event.kind for event in events)
            ends = [
                each for each in events if each.to_status in TERMINAL and each.from_status not in TERMINAL
            ]
            if kinds[Kind.SENT] - kinds[Kind.POSTPONED] > 1:
                wrong.append(f"{row}: sent {kinds[Kind.SENT]} times")
            if len(ends) != (row.status in TERMINAL):
                wrong.append(f"{row}: {len(ends)} ends")
        starts = Counter(words for each in self.there.values() if (words := _words(each)))
        return wrong + [f"{words}: {count} times there" for words, count in starts.items() if count > 1]

    def _taken_for_others(self) -> list[str]:
        return [str(row) for row in self.rows if row.origin == Execution.Origin.ELSEWHERE]

    # --- deliveries -----------------------------------------------------------------------------------------

    def _not_kept(self) -> list[str]:
        """What was answered well is here."""
        well = [each for each in self.messages.values() if each["status"] == "delivered"]
        return [
            f"{each['webhookId']} {each['event']}"
            for each in well
            if each["webhookId"] not in self.deliveries
        ]

    def _refused_and_forged(self) -> str:
        messages = self.messages.values()
        return f"{sum(map(is_refused, messages))}, {sum(map(is_forged, messages))}"

    def _refused_wrongly(self) -> list[str]:
        """Of what was signed well nothing may be refused, and of what was forged nothing taken."""
        wrong = []
        for name, each in self.messages.items():
            if is_refused(each) and not is_forged(each):
                wrong.append(f"{name} was refused, though it was signed well")
            if any("forged" in attempt and attempt["status"] == 200 for attempt in each["attempts"]):
                wrong.append(f"{name} was taken, though it was forged")
        return wrong

    def _not_sent(self) -> list[str]:
        """What is here was sent, as it was sent, and has found its job if that is known."""
        wrong = [name for name in self.deliveries if name not in self.messages]
        known = {row.remote_id for row in self.rows}
        for name, row in self.deliveries.items():
            if row.outcome == Outcome.UNKNOWN_JOB and row.remote_execution_id in known:
                wrong.append(f"{name}: still waits for its job")
        return wrong

    def _by_webhook(self) -> list[Event]:
        return [
            event
            for events in self.events.values()
            for event in events
            if event.source == Source.WEBHOOK and event.to_status in TERMINAL
        ]

    def _applied(self) -> list[WebhookDelivery]:
        return [row for row in self.deliveries.values() if row.outcome == Outcome.APPLIED]

    def _ends_told(self) -> str:
        return f"{len(self._by_webhook())}, {len(self._applied())}"

    def _applied_otherwise(self) -> list[str]:
        told_by = Counter(event.delivery_id for event in self._by_webhook())
        applied = Counter(row.pk for row in self._applied())
        return [
            f"delivery {pk}" for pk in told_by.keys() | applied.keys() if told_by[pk] != 1 or applied[pk] != 1
        ]


def _words(there: dict[str, Any]) -> str:
    """What only one job says; empty for a tool that works from files alone."""
    return str(there["request"].get("prompt") or there["request"].get("ttsText") or "")


def _is_of(row: Execution, there: dict[str, Any]) -> bool:
    words = _words(there)
    return not words or words == (row.request_body.get("prompt") or row.request_body.get("ttsText"))


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
