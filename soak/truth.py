"""Compare Rushes' database with the sandbox's own log of every job and every webhook."""

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

# States of a webhook that will be sent (again).
PENDING = {"waiting", "held"}
# Shorter waits are not skipped.
MIN_SKIPPED_WAIT = timedelta(seconds=5)


@dataclass(frozen=True)
class Line:
    """One line of the report. `wrong` lists mismatches; None for a figure that is not checked."""

    what: str
    figure: str
    wrong: list[str] | None = None


def skip_waits_now() -> None:
    """Make every waiting job due now. Other tests cover the length of the waits."""
    now = timezone.now()
    waiting = Execution.objects.filter(ended_at=None, next_attempt_at__gt=now + MIN_SKIPPED_WAIT)
    waiting.filter(Q(leased_until=None) | Q(leased_until__lte=now)).update(next_attempt_at=now)


def settled(site: Site, seconds: float, *, skip_waits: bool = False) -> bool:
    """Wait until all jobs and webhooks are finished, except unconfirmed starts. False after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if skip_waits:
                skip_waits_now()
            is_still = not Execution.objects.filter(ended_at=None).exclude(status=UNCONFIRMED).exists()
        except DatabaseError:
            connection.close()
            is_still = False
        if is_still and all(each["endedAt"] for each in site.control("GET", "truth")["executions"]):
            messages = site.control("GET", "deliveries")["deliveries"]
            # A forged webhook is refused at every attempt until the sandbox gives up. Do not wait for that.
            if not any(each["status"] in PENDING and not is_forged(each) for each in messages):
                return True
        # Both databases belong to other processes, so polling is the only way to see a change.
        time.sleep(0.5)
    return False


def is_refused(message: dict[str, Any]) -> bool:
    return any(attempt["status"] == 401 for attempt in message["attempts"])


def is_forged(message: dict[str, Any]) -> bool:
    """Whether any attempt carried a wrong signature."""
    return any("forged" in attempt for attempt in message["attempts"])


class Truth:
    """Both sides, read after everything has settled. `there` is the sandbox, `ours` are jobs started in Rushes."""

    def __init__(self, site: Site, keys: set[str]) -> None:
        self.keys = keys
        self.there = {each["toolExecutionId"]: each for each in site.control("GET", "truth")["executions"]}
        self.messages = {each["webhookId"]: each for each in site.control("GET", "deliveries")["deliveries"]}
        self.rows = list(Execution.objects.order_by("id"))
        self.ours = [row for row in self.rows if row.origin != Execution.Origin.EXTERNAL]
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
        stored = Counter(row.outcome for row in self.deliveries.values())
        sent = Counter(each["status"] for each in self.messages.values())
        return [
            Line("jobs: forms sent, rows in Rushes", f"{len(self.keys)}, {len(self.ours)}", self._not_once()),
            Line("jobs by status in Rushes", summary(statuses), self._open()),
            Line("jobs in the sandbox", f"{len(self.there)}", self._nowhere()),
            Line("jobs whose status or results differ", "", self._different()),
            Line("jobs sent twice, or finished other than once", "", self._doubled()),
            Line("own jobs mistaken for external ones", "", self._mistaken_for_external()),
            Line("webhooks in the sandbox", summary(sent), self._not_stored()),
            Line("webhooks refused, forged", self._refused_and_forged(), self._refused_wrongly()),
            Line("deliveries in Rushes", summary(stored), self._not_sent()),
            Line(
                "completions by webhook, deliveries applied",
                self._completions_by_webhook(),
                self._applied_otherwise(),
            ),
        ]

    # --- jobs -----------------------------------------------------------------------------------------------

    def _not_once(self) -> list[str]:
        # The stored key is the form's key, a dot, and a hash of the form's content.
        rows = Counter((row.idempotency_key or "").partition(".")[0] for row in self.ours)
        return [f"{key}: {rows[key]} rows" for key in self.keys | rows.keys() if rows[key] != 1]

    def _open(self) -> list[str]:
        return [str(row) for row in self.rows if row.status not in {*TERMINAL, UNCONFIRMED}]

    def _nowhere(self) -> list[str]:
        """Per tool, the sandbox may have at most as many jobs unknown to Rushes as there are unconfirmed starts."""
        known = {row.remote_id for row in self.rows}
        lost = Counter(each["tool"] for remote_id, each in self.there.items() if remote_id not in known)
        unconfirmed = Counter(row.tool for row in self.ours if row.status == UNCONFIRMED)
        return [
            f"{tool}: {count} unknown, {unconfirmed[tool]} unconfirmed"
            for tool, count in (lost - unconfirmed).items()
        ]

    def _different(self) -> list[str]:
        wrong = []
        for row in self.rows:
            if row.remote_id is None:
                continue
            there = self.there.get(row.remote_id)
            if there is None or (row.status, row.tool) != (there["status"], there["tool"]):
                wrong.append(f"{row}: {there and there['status']} in the sandbox")
            elif self.results.get(row.pk, []) != [each["fileId"] for each in there["results"] or []]:
                wrong.append(f"{row}: other results")
            elif row.prompt and row.origin != Execution.Origin.EXTERNAL and not _has_same_prompt(row, there):
                wrong.append(f"{row}: another prompt")
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
                wrong.append(f"{row}: finished {len(ends)} times")
        starts = Counter(prompt for each in self.there.values() if (prompt := _prompt(each)))
        return wrong + [
            f"{prompt}: {count} times in the sandbox" for prompt, count in starts.items() if count > 1
        ]

    def _mistaken_for_external(self) -> list[str]:
        return [str(row) for row in self.rows if row.origin == Execution.Origin.EXTERNAL]

    # --- deliveries -----------------------------------------------------------------------------------------

    def _not_stored(self) -> list[str]:
        """Webhooks that got a 200 response, but are not stored."""
        delivered = [each for each in self.messages.values() if each["status"] == "delivered"]
        return [
            f"{each['webhookId']} {each['event']}"
            for each in delivered
            if each["webhookId"] not in self.deliveries
        ]

    def _refused_and_forged(self) -> str:
        messages = self.messages.values()
        return f"{sum(map(is_refused, messages))}, {sum(map(is_forged, messages))}"

    def _refused_wrongly(self) -> list[str]:
        """Correctly signed webhooks that were refused, and forged ones that were accepted."""
        wrong = []
        for name, each in self.messages.items():
            if is_refused(each) and not is_forged(each):
                wrong.append(f"{name} was refused, although correctly signed")
            if any("forged" in attempt and attempt["status"] == 200 for attempt in each["attempts"]):
                wrong.append(f"{name} was accepted, although forged")
        return wrong

    def _not_sent(self) -> list[str]:
        """Deliveries that the sandbox never sent, and those not applied to a known job."""
        wrong = [name for name in self.deliveries if name not in self.messages]
        known = {row.remote_id for row in self.rows}
        for name, row in self.deliveries.items():
            if row.outcome == Outcome.UNKNOWN_JOB and row.remote_execution_id in known:
                wrong.append(f"{name}: not matched to its job")
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

    def _completions_by_webhook(self) -> str:
        return f"{len(self._by_webhook())}, {len(self._applied())}"

    def _applied_otherwise(self) -> list[str]:
        reported = Counter(event.delivery_id for event in self._by_webhook())
        applied = Counter(row.pk for row in self._applied())
        return [
            f"delivery {pk}"
            for pk in reported.keys() | applied.keys()
            if reported[pk] != 1 or applied[pk] != 1
        ]


def _prompt(there: dict[str, Any]) -> str:
    """The prompt, which is unique to a job; empty for a tool that takes only files."""
    return str(there["request"].get("prompt") or there["request"].get("ttsText") or "")


def _has_same_prompt(row: Execution, there: dict[str, Any]) -> bool:
    prompt = _prompt(there)
    return not prompt or prompt == (row.request_body.get("prompt") or row.request_body.get("ttsText"))


def summary(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
