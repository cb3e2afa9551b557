"""Replays of stored deliveries, and their audit entries."""

from __future__ import annotations

from typing import Any

import pytest

from executions import policy
from executions.models import Event, WebhookDelivery
from executions.models.event import ActKind, Source
from executions.webhooks.deliveries import replay
from tests.factories import deliveries

pytestmark = pytest.mark.django_db


def audit_entries() -> list[tuple[Any, ...]]:
    return list(Event.objects.filter(kind=ActKind.REPLAYED).values_list("actor", "source", "detail"))


@pytest.fixture
def stored() -> list[WebhookDelivery]:
    for number in (1, 2):
        deliveries.ingest_outcome(f"msg_{number}", f"vg_exec_{number}", "failed")
    return list(WebhookDelivery.objects.order_by("pk"))


def test_a_replay_of_several_deliveries_is_one_audit_entry_with_the_outcome_of_each(
    ada: Any, stored: list[WebhookDelivery]
) -> None:
    results = replay(stored, actor=ada)

    assert [delivery for delivery, _ in results] == stored
    outcomes = {str(delivery.pk): outcome for delivery, outcome in results}
    assert audit_entries() == [(ada.pk, Source.PERSON, {"deliveries": outcomes})]


def test_a_replay_by_rushes_itself_is_recorded_without_a_person(stored: list[WebhookDelivery]) -> None:
    replay(stored[:1], actor=policy.SYSTEM)

    ((actor, source, detail),) = audit_entries()
    assert (actor, source, list(detail["deliveries"])) == (None, Source.SYSTEM, [str(stored[0].pk)])


def test_a_refused_replay_and_one_of_no_deliveries_leave_no_audit_entry(
    ann: Any, ada: Any, stored: list[WebhookDelivery]
) -> None:
    with pytest.raises(policy.NotAllowed):
        replay(stored, actor=ann)
    assert replay([], actor=ada) == []

    assert audit_entries() == []
