"""What the database itself refuses, whatever the code above it does, and what it has indexes for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models.deletion import ProtectedError
from django.utils import timezone

from executions.core.ids import uuid7
from executions.models import Batch, Event, Execution, File, Input, Result, WebhookDelivery, WebhookEndpoint
from executions.models.event import Kind, Source
from tests.factories import events, jobs

pytestmark = pytest.mark.django_db

MODELS = (Batch, Event, Execution, File, Input, Result, WebhookDelivery, WebhookEndpoint)


def refused_by_the_database(model: type[models.Model], pk: Any, **columns: Any) -> bool:
    """Whether an UPDATE that goes past all of our code is refused."""
    rows = models.QuerySet(model).filter(pk=pk)
    try:
        with transaction.atomic():
            rows.update(**columns)
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_declared_constraint_and_index_is_in_the_database(model: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, model._meta.db_table)

    declared = {each.name for each in [*model._meta.constraints, *model._meta.indexes]}
    assert declared - set(there) == set()
    unique = {field.column for field in model._meta.fields if field.unique and not field.primary_key}
    assert unique <= {
        each["columns"][0] for each in there.values() if each["unique"] and len(each["columns"]) == 1
    }


def test_two_jobs_never_have_the_same_id_of_videogen() -> None:
    jobs.accepted("vg_exec_1")
    other = jobs.accepted("vg_exec_2")

    assert refused_by_the_database(Execution, other.pk, remote_id="vg_exec_1")
    assert not refused_by_the_database(Execution, other.pk, remote_id="vg_exec_3")


def test_jobs_that_videogen_has_not_named_are_many() -> None:
    first, second = jobs.queued(), jobs.queued()

    assert first.remote_id is second.remote_id is None


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "succeeded"},
        {"status": "failed"},
        {"ended_at": timezone.now()},
        {"status": ""},
        {"remote_id": None},
        {"progress": 100.5},
        {"progress": -1.0},
        {"cancel_noted_at": timezone.now()},
        {"attempt": -1},
    ],
    ids=" ".join,
)
def test_a_row_that_contradicts_itself_is_refused(columns: dict[str, Any]) -> None:
    job = jobs.running()

    assert refused_by_the_database(Execution, job.pk, **columns)


def test_a_row_that_ended_keeps_the_time_of_its_end() -> None:
    job = jobs.running()
    jobs.report(job, "succeeded")

    assert refused_by_the_database(Execution, job.pk, ended_at=None)
    assert refused_by_the_database(Execution, job.pk, status="running")


def test_a_form_starts_one_job_for_its_person_and_others_have_keys_of_their_own(ann: Any, ben: Any) -> None:
    first, second, bens = jobs.queued(), jobs.queued(), jobs.queued()
    rows = models.QuerySet(Execution)
    rows.filter(pk=first.pk).update(created_by=ann, idempotency_key="k")
    rows.filter(pk=bens.pk).update(created_by=ben, idempotency_key="k")

    assert refused_by_the_database(Execution, second.pk, created_by=ann, idempotency_key="k")
    assert not refused_by_the_database(Execution, second.pk, created_by=ann, idempotency_key="another")


# --- events -------------------------------------------------------------------------------------------------


def test_an_event_is_never_rewritten_nor_deleted_through_the_model() -> None:
    event = Event.objects.get(execution=jobs.queued())
    event.to_status = "succeeded"

    for act in (
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(to_status="succeeded"),
        lambda: Event.objects.filter(pk=event.pk).update(detail={}),
        lambda: Event.objects.bulk_update([event], ["to_status"]),
        lambda: Event.objects.update_or_create(pk=event.pk, defaults={"to_status": "succeeded"}),
        lambda: event.execution.events.all().delete(),
        lambda: event.execution.events.update(to_status="succeeded"),
    ):
        with pytest.raises(TypeError, match="append-only"), transaction.atomic():
            act()

    assert Event.objects.get().to_status == "queued"


def test_events_of_an_unknown_kind_or_source_are_refused() -> None:
    told = {
        "execution": jobs.queued(),
        "kind": Kind.STATUS,
        "source": Source.POLL,
        "occurred_at": timezone.now(),
    }
    for wrong in ({"kind": "rumour"}, {"source": "hearsay"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Event.objects.bulk_create([Event(**told | wrong)])


def test_a_job_with_a_story_cannot_be_deleted() -> None:
    job = jobs.queued()

    with pytest.raises(ProtectedError):
        job.delete()
    with pytest.raises(ProtectedError):
        Execution.objects.all().delete()
    assert Execution.objects.count() == 1


def test_a_job_is_not_changed_by_save() -> None:
    job = jobs.queued()
    job.note = "changed by hand"

    with pytest.raises(TypeError, match=r"lifecycle\.machine\.apply"):
        job.save()
    with pytest.raises(TypeError, match=r"lifecycle\.machine\.apply"):
        job.save(update_fields=["note"])
    assert jobs.fresh(job).note == ""


# --- deliveries, files, results -----------------------------------------------------------------------------


def test_a_delivery_is_kept_once_and_with_a_known_outcome() -> None:
    events.end("msg_1", "vg_exec_1", "failed")
    events.end("msg_2", "vg_exec_1", "failed")
    second = WebhookDelivery.objects.get(webhook_id="msg_2")

    assert refused_by_the_database(WebhookDelivery, second.pk, webhook_id="msg_1")
    assert refused_by_the_database(WebhookDelivery, second.pk, outcome="lost")


def test_a_file_is_kept_once_and_in_a_known_state() -> None:
    File.objects.create(remote_id="vg_file_1")
    second = File.objects.create(remote_id="vg_file_2")

    assert refused_by_the_database(File, second.pk, remote_id="vg_file_1")
    assert refused_by_the_database(File, second.pk, state="rotten")
    assert refused_by_the_database(File, second.pk, origin="heaven")


def test_two_results_or_inputs_never_share_a_place() -> None:
    job = jobs.running()
    jobs.report(job, "succeeded", results=jobs.results("vg_file_a", "vg_file_b"))
    last = Result.objects.get(execution=job, position=1)
    inputs = [
        Input.objects.create(execution=job, file=last.file, field="imageFileIds", position=position)
        for position in range(2)
    ]

    assert refused_by_the_database(Result, last.pk, position=0)
    assert refused_by_the_database(Input, inputs[1].pk, position=0)


def test_a_file_that_a_job_made_or_used_cannot_be_deleted() -> None:
    job = jobs.running()
    jobs.report(job, "succeeded", results=jobs.results("vg_file_a"))

    with pytest.raises(ProtectedError):
        File.objects.get().delete()


# --- queries by name ----------------------------------------------------------------------------------------


def test_in_flight_is_what_a_person_still_waits_for() -> None:
    from executions.lifecycle import machine as lifecycle
    from executions.lifecycle import observations

    waiting, going, ended = jobs.queued(), jobs.running("vg_exec_1"), jobs.running("vg_exec_2")
    jobs.report(ended, "failed")
    unsure, long_unsure = jobs.sending(), jobs.sending()
    for job in (unsure, long_unsure):
        lifecycle.apply(job.pk, observations.ResponseLost(reason="cut"))
    Execution.objects.filter(pk=long_unsure.pk).update(created_at=timezone.now() - timedelta(days=2))

    assert set(Execution.objects.in_flight()) == {waiting, going, unsure}
    assert list(Execution.objects.finished()) == [ended]


def test_due_is_what_has_a_time_that_came_and_no_living_lease() -> None:
    now = timezone.now()
    rows = {
        "due": {"next_attempt_at": now},
        "later": {"next_attempt_at": now + timedelta(seconds=1)},
        "never": {"next_attempt_at": None},
        "leased": {"next_attempt_at": now, "leased_until": now + timedelta(seconds=1)},
        "its worker died": {"next_attempt_at": now, "leased_until": now},
    }
    for name, columns in rows.items():
        Execution.objects.filter(pk=jobs.queued(name).pk).update(**columns)

    due = Execution.objects.due(now).values_list("prompt", flat=True)

    assert set(due) == {"due", "its worker died"}


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = [uuid7() for _ in range(5000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(each.version, each.variant) for each in made} == {(7, "specified in RFC 4122")}


def test_ids_grow_though_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = uuid7()
    monkeypatch.setattr("executions.core.ids.time.time_ns", lambda: 0)

    assert uuid7() > before
