"""Constraints and indexes of the database, and the named queries of the models."""

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
from tests.factories import deliveries, jobs

pytestmark = pytest.mark.django_db

MODELS = (Batch, Event, Execution, File, Input, Result, WebhookDelivery, WebhookEndpoint)


def is_refused(model: type[models.Model], pk: Any, **columns: Any) -> bool:
    """Whether the database refuses an UPDATE that bypasses the model's own checks."""
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
        present = connection.introspection.get_constraints(cursor, model._meta.db_table)

    declared = {each.name for each in [*model._meta.constraints, *model._meta.indexes]}
    assert declared - set(present) == set()
    unique = {field.column for field in model._meta.fields if field.unique and not field.primary_key}
    assert unique <= {
        each["columns"][0] for each in present.values() if each["unique"] and len(each["columns"]) == 1
    }


def test_two_jobs_cannot_have_the_same_remote_id() -> None:
    jobs.accepted("vg_exec_1")
    other = jobs.accepted("vg_exec_2")

    assert is_refused(Execution, other.pk, remote_id="vg_exec_1")
    assert not is_refused(Execution, other.pk, remote_id="vg_exec_3")


def test_several_jobs_can_have_no_remote_id() -> None:
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
        {"cancel_accepted_at": timezone.now()},
        {"attempt": -1},
    ],
    ids=" ".join,
)
def test_an_inconsistent_row_is_refused(columns: dict[str, Any]) -> None:
    job = jobs.running()

    assert is_refused(Execution, job.pk, **columns)


def test_a_finished_job_keeps_its_end_time() -> None:
    job = jobs.running()
    jobs.report(job, "succeeded")

    assert is_refused(Execution, job.pk, ended_at=None)
    assert is_refused(Execution, job.pk, status="running")


def test_an_idempotency_key_is_unique_per_person(ann: Any, ben: Any) -> None:
    first, second, bens = jobs.queued(), jobs.queued(), jobs.queued()
    rows = models.QuerySet(Execution)
    rows.filter(pk=first.pk).update(created_by=ann, idempotency_key="k")
    rows.filter(pk=bens.pk).update(created_by=ben, idempotency_key="k")

    assert is_refused(Execution, second.pk, created_by=ann, idempotency_key="k")
    assert not is_refused(Execution, second.pk, created_by=ann, idempotency_key="another")


# --- events -------------------------------------------------------------------------------------------------


def test_an_event_cannot_be_changed_or_deleted_through_the_model() -> None:
    event = Event.objects.get(execution=jobs.queued())
    event.to_status = "succeeded"

    for attempt in (
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
            attempt()

    assert Event.objects.get().to_status == "queued"


def test_events_of_an_unknown_kind_or_source_are_refused() -> None:
    columns = {
        "execution": jobs.queued(),
        "kind": Kind.STATUS,
        "source": Source.POLL,
        "occurred_at": timezone.now(),
    }
    for invalid in ({"kind": "rumour"}, {"source": "hearsay"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Event.objects.bulk_create([Event(**columns | invalid)])


def test_a_job_with_events_cannot_be_deleted() -> None:
    job = jobs.queued()

    with pytest.raises(ProtectedError):
        job.delete()
    with pytest.raises(ProtectedError):
        Execution.objects.all().delete()
    assert Execution.objects.count() == 1


def test_save_refuses_to_change_a_job() -> None:
    job = jobs.queued()
    job.note = "changed by hand"

    with pytest.raises(TypeError, match=r"lifecycle\.status_machine\.apply"):
        job.save()
    with pytest.raises(TypeError, match=r"lifecycle\.status_machine\.apply"):
        job.save(update_fields=["note"])
    assert jobs.reload(job).note == ""


# --- deliveries, files, results -----------------------------------------------------------------------------


def test_a_delivery_is_unique_and_has_a_known_outcome() -> None:
    deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed")
    deliveries.ingest_outcome("msg_2", "vg_exec_1", "failed")
    second = WebhookDelivery.objects.get(webhook_id="msg_2")

    assert is_refused(WebhookDelivery, second.pk, webhook_id="msg_1")
    assert is_refused(WebhookDelivery, second.pk, outcome="lost")


def test_a_file_is_unique_and_has_a_known_state_and_origin() -> None:
    File.objects.create(remote_id="vg_file_1")
    second = File.objects.create(remote_id="vg_file_2")

    assert is_refused(File, second.pk, remote_id="vg_file_1")
    assert is_refused(File, second.pk, state="rotten")
    assert is_refused(File, second.pk, origin="heaven")


def test_two_results_or_inputs_cannot_share_a_position() -> None:
    job = jobs.running()
    jobs.report(job, "succeeded", results=jobs.results("vg_file_a", "vg_file_b"))
    last = Result.objects.get(execution=job, position=1)
    inputs = [
        Input.objects.create(execution=job, file=last.file, field="imageFileIds", position=position)
        for position in range(2)
    ]

    assert is_refused(Result, last.pk, position=0)
    assert is_refused(Input, inputs[1].pk, position=0)


def test_a_file_that_a_job_made_or_used_cannot_be_deleted() -> None:
    job = jobs.running()
    jobs.report(job, "succeeded", results=jobs.results("vg_file_a"))

    with pytest.raises(ProtectedError):
        File.objects.get().delete()


# --- queries by name ----------------------------------------------------------------------------------------


def test_in_flight_excludes_finished_and_long_unconfirmed_jobs() -> None:
    from executions.lifecycle import observations, status_machine

    queued, running, failed = jobs.queued(), jobs.running("vg_exec_1"), jobs.running("vg_exec_2")
    jobs.report(failed, "failed")
    unconfirmed, long_unconfirmed, long_queued = jobs.sending(), jobs.sending(), jobs.sending()
    for job in (unconfirmed, long_unconfirmed, long_queued):
        status_machine.apply(job.pk, observations.SubmissionUnconfirmed(reason="cut"))
    two_days_ago = timezone.now() - timedelta(days=2)
    old = Execution.objects.filter(pk__in=[long_unconfirmed.pk, long_queued.pk])
    old.update(created_at=two_days_ago)
    Execution.objects.filter(pk=long_unconfirmed.pk).update(sent_at=two_days_ago)

    assert set(Execution.objects.in_flight()) == {queued, running, unconfirmed, long_queued}
    assert list(Execution.objects.finished()) == [failed]


def test_due_jobs_have_reached_their_time_and_have_no_valid_lease() -> None:
    now = timezone.now()
    rows = {
        "due": {"next_attempt_at": now},
        "later": {"next_attempt_at": now + timedelta(seconds=1)},
        "never": {"next_attempt_at": None},
        "leased": {"next_attempt_at": now, "leased_until": now + timedelta(seconds=1)},
        "lease expired": {"next_attempt_at": now, "leased_until": now},
    }
    for name, columns in rows.items():
        Execution.objects.filter(pk=jobs.queued(name).pk).update(**columns)

    due = Execution.objects.due(now).values_list("prompt", flat=True)

    assert set(due) == {"due", "lease expired"}


def test_ids_sort_by_creation_time() -> None:
    made = [uuid7() for _ in range(5000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(each.version, each.variant) for each in made} == {(7, "specified in RFC 4122")}


def test_ids_increase_even_if_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = uuid7()
    monkeypatch.setattr("executions.core.ids.time.time_ns", lambda: 0)

    assert uuid7() > before
