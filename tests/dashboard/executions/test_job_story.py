"""One job's page: its time to scale, step by step, who told of the end first, and what stands before and after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from dashboard.cards import lineage
from dashboard.cards.job import OWNER
from dashboard.cards.timeline import timeline
from executions.lifecycle import machine as lifecycle
from executions.lifecycle import observations
from executions.models import Execution, Input, WebhookDelivery
from executions.models.event import Source
from executions.models.webhook_delivery import Outcome
from tests.dashboard.browsers import Browser
from tests.factories.files import file
from tests.factories.jobs import job
from tests.factories.people import People

pytestmark = pytest.mark.django_db
BEGAN = timezone.now() - timedelta(hours=1)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def told(
    execution: Execution, status: str, seconds: float, source: Source = Source.POLL, **more: Any
) -> None:
    lifecycle.apply(
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
    lifecycle.apply(execution.pk, observations.SubmissionStarted(at=at(1)))
    lifecycle.apply(execution.pk, observations.Accepted(remote_id="vg_exec_1", at=at(2)))
    told(execution, "running", 6, attempt=0)
    told(execution, "running", 16, attempt=1)
    return Execution.objects.get(pk=execution.pk)


def test_the_stretches_are_to_scale_attempt_by_attempt(running: Execution) -> None:
    told(running, "succeeded", 26, Source.WEBHOOK, attempt=1)
    lanes = timeline(Execution.objects.get(pk=running.pk), OWNER).lanes
    assert [(lane.label, round(lane.x * 0.26), round(lane.seconds)) for lane in lanes] == [
        ("with us", 0, 2),
        ("waiting there", 2, 4),
        ("attempt 1", 6, 10),
        ("attempt 2", 16, 10),
    ]
    assert sum(lane.width for lane in lanes) == pytest.approx(100)


def test_each_event_says_how_long_after_the_one_before_it_came(running: Execution) -> None:
    events = timeline(running, OWNER).events[1:]  # the first is older than this drawing pretends
    assert [round(event.step or 0) for event in events[1:]] == [1, 4, 10]
    assert all(0 <= event.x <= 100 for event in events)


def test_the_webhook_was_first(running: Execution, ada_browser: Browser) -> None:
    arrived = delivery(running, 26, 26.04)
    told(running, "succeeded", 26, Source.WEBHOOK, delivery_id=arrived.pk)
    execution = Execution.objects.get(pk=running.pk)
    assert (
        timeline(execution, OWNER).race
        == "The webhook was first, 40 ms after it was so: nobody had to ask any more."
    )
    page = ada_browser.get(f"/executions/{execution.pk}/").content.decode()
    assert f'class="for-admins" href="/settings/deliveries/{arrived.pk}/"' in page


def test_asking_was_first_and_by_how_much(running: Execution) -> None:
    told(running, "succeeded", 26)
    execution = Execution.objects.get(pk=running.pk)
    assert timeline(execution, OWNER).race == "Asking was first: no webhook has told of the end."
    known = execution.events.last().recorded_at
    late = delivery(execution, 26, 30, Outcome.TOO_LATE)
    WebhookDelivery.objects.filter(pk=late.pk).update(received_at=known + timedelta(seconds=1.25))
    assert timeline(execution, OWNER).race in (
        "Asking was first: the webhook came 1.2 s later.",
        "Asking was first: the webhook came 1.3 s later.",
    )


def test_without_a_race_nothing_is_said_of_one(people: People, running: Execution) -> None:
    assert timeline(running, OWNER).race == ""
    assert timeline(job(people.ann, "refused"), OWNER).race == ""
    assert timeline(job(people.ann, "cancelled before"), OWNER).race == ""


def test_the_lineage_goes_both_ways(people: People) -> None:
    source = file(type="IMAGE")
    execution = job(people.ann, "succeeded")
    Input.objects.create(execution=execution, file=source, field="imageFileIds")
    made = execution.results.get().file
    later = job(people.ben, "queued")
    Input.objects.create(execution=later, file=made, field="imageFileIds")
    found = lineage.of_job(execution, people.ann)
    assert [tile.file for tile in found.sources] == [source]
    assert [card.execution for card in found.uses] == [later]
    assert lineage.of_job(later, people.ann).sources[0].file == made
    assert not lineage.of_job(job(people.ann), people.ann).is_known


def test_the_page_offers_the_request_for_other_tools(ann_browser: Browser) -> None:
    page = ann_browser.get(f"/executions/{job(ann_browser.user, 'succeeded').pk}/").content.decode()
    assert "client.tools.generate_image(" in page
    assert "$VIDEOGEN_API_KEY" in page
    assert 'data-copy="snippet-python" hidden' in page, (
        "a button that does nothing without the script is not shown"
    )
