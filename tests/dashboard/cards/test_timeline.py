"""A job's page: its timeline to scale, how its end was reported, and its lineage."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from dashboard.cards import lineage
from dashboard.cards.job import OWNER
from dashboard.cards.timeline import timeline
from executions.lifecycle import observations, status_machine
from executions.models import Execution, Input, WebhookDelivery
from executions.models.event import Source
from executions.models.webhook_delivery import Outcome
from tests.dashboard.browsers import Browser
from tests.factories.files import file
from tests.factories.jobs import job
from tests.factories.people import People
from tests.markup import every, links, plain_text

pytestmark = pytest.mark.django_db
BEGAN = timezone.now() - timedelta(hours=1)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def report(
    execution: Execution, status: str, seconds: float, source: Source = Source.POLL, **more: Any
) -> None:
    status_machine.apply(
        execution.pk, observations.StatusReported(source=source, status=status, at=at(seconds), **more)
    )


def delivery(
    execution: Execution, seconds: float, received: float, outcome: str = Outcome.APPLIED
) -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        webhook_id=f"msg_{seconds}_{received}", event="tool_execution.succeeded", execution=execution, outcome=outcome, body=b"{}", occurred_at=at(seconds), received_at=at(received)
    )  # fmt: skip


@pytest.fixture
def running(people: People) -> Execution:
    """Started, accepted after 2 seconds, running after 6, its second attempt after 16."""
    execution = job(people.ann, "queued")
    Execution.objects.filter(pk=execution.pk).update(created_at=BEGAN)
    status_machine.apply(execution.pk, observations.SubmissionStarted(at=at(1)))
    status_machine.apply(execution.pk, observations.Accepted(remote_id="vg_exec_1", at=at(2)))
    report(execution, "running", 6, attempt=0)
    report(execution, "running", 16, attempt=1)
    return Execution.objects.get(pk=execution.pk)


def test_the_phases_are_to_scale_for_each_attempt(running: Execution) -> None:
    report(running, "succeeded", 26, Source.WEBHOOK, attempt=1)
    lanes = timeline(Execution.objects.get(pk=running.pk), OWNER).lanes
    assert [(lane.label, round(lane.x * 0.26), round(lane.seconds)) for lane in lanes] == [
        ("In Rushes", 0, 2),
        ("Queued at VideoGen", 2, 4),
        ("Attempt 1", 6, 10),
        ("Attempt 2", 16, 10),
    ]
    assert sum(lane.width for lane in lanes) == pytest.approx(100)


def test_each_event_has_the_time_since_the_previous_one(running: Execution) -> None:
    events = timeline(running, OWNER).events[1:]  # the first was stored before BEGAN was set
    assert [round(event.step or 0) for event in events[1:]] == [1, 4, 10]
    assert all(0 <= event.x <= 100 for event in events)


def test_the_webhook_reports_first(running: Execution, ada_browser: Browser) -> None:
    arrived = delivery(running, 26, 26.04)
    report(running, "succeeded", 26, Source.WEBHOOK, delivery_id=arrived.pk)
    execution = Execution.objects.get(pk=running.pk)
    assert timeline(execution, OWNER).reported_by == "Reported by webhook after 40 ms."
    page = ada_browser.get(f"/executions/{execution.pk}/")
    assert f"/settings/deliveries/{arrived.pk}/" in links(page, "a.for-admins")


def test_a_poll_reports_first_and_by_how_much(running: Execution) -> None:
    report(running, "succeeded", 26)
    execution = Execution.objects.get(pk=running.pk)
    assert timeline(execution, OWNER).reported_by == "Reported by polling; no webhook has arrived."
    recorded_at = execution.events.last().recorded_at
    late = delivery(execution, 26, 30, Outcome.TOO_LATE)
    WebhookDelivery.objects.filter(pk=late.pk).update(received_at=recorded_at + timedelta(seconds=1.25))
    assert timeline(execution, OWNER).reported_by in (
        "Reported by polling; the webhook arrived 1.2 s later.",
        "Reported by polling; the webhook arrived 1.3 s later.",
    )


def test_a_job_that_neither_reported_has_no_such_line(people: People, running: Execution) -> None:
    assert timeline(running, OWNER).reported_by == ""
    assert timeline(job(people.ann, "refused"), OWNER).reported_by == ""
    assert timeline(job(people.ann, "cancelled before"), OWNER).reported_by == ""


def test_lineage_has_sources_and_uses(people: People) -> None:
    source = file(type="IMAGE")
    execution = job(people.ann, "succeeded")
    Input.objects.create(execution=execution, file=source, field="imageFileIds")
    made = execution.results.get().file
    later = job(people.ben, "queued")
    Input.objects.create(execution=later, file=made, field="imageFileIds")
    lines = lineage.job_lineage(execution, people.ann)
    assert [tile.file for tile in lines.sources] == [source]
    assert [card.execution for card in lines.uses] == [later]
    assert lineage.job_lineage(later, people.ann).sources[0].file == made
    assert not lineage.job_lineage(job(people.ann), people.ann).is_known


def test_the_page_offers_code_samples(ann_browser: Browser) -> None:
    page = ann_browser.get(f"/executions/{job(ann_browser.user, 'succeeded').pk}/")
    samples = plain_text(page)
    assert "client.tools.generate_image(" in samples
    assert "$VIDEOGEN_API_KEY" in samples
    assert every(page, "[data-copy=sample-python][hidden]"), (
        "the button needs JavaScript, so it is hidden without it"
    )
