"""The old version still serves during a rollout, so each migration after the first only adds (fault 57)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

FIRST = "0001_initial"
# Operations that may remove or rename a table or a column which old code uses.
MAY_REMOVE = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.DeleteModel,
    migrations.RenameModel,
    migrations.AlterModelTable,
    migrations.SeparateDatabaseAndState,
)


def operations_after_first() -> Iterator[tuple[str, Any, Any]]:
    """(where, operation, the state before it), for every operation after the first migration."""
    loader = MigrationLoader(None)
    names = sorted(name for app, name in loader.disk_migrations if app == "executions")
    for name in names:
        if name == FIRST:
            continue
        state = loader.project_state(("executions", name), at_end=False)
        # Old code does not know a table that the same migration creates.
        created = set()
        for operation in loader.disk_migrations["executions", name].operations:
            if isinstance(operation, migrations.CreateModel):
                created.add(operation.name_lower)
            if getattr(operation, "model_name_lower", None) in created:
                operation.state_forwards("executions", state)
                continue
            yield f"{name}: {type(operation).__name__}", operation, state.clone()
            operation.state_forwards("executions", state)


def offence(operation: Any, before: Any) -> str:
    """Why old code would fail after this operation; empty if it would not."""
    if isinstance(operation, migrations.RunSQL):
        return "may remove what old code uses"
    if isinstance(operation, MAY_REMOVE) and not _columns(before) <= _columns_after(operation, before):
        return "removes what old code uses"
    if isinstance(operation, migrations.AddField) and _is_required(operation.field):
        return "adds a column that old code's INSERT does not fill"
    if isinstance(operation, migrations.AlterField) and _is_required(operation.field):
        previous = before.models["executions", operation.model_name_lower].fields[operation.name]
        if previous.null or previous.db_default is not models.NOT_PROVIDED:
            return "requires a value that old code may leave out"
    return ""


def _columns(state: Any) -> set[tuple[str, str]]:
    """The names of all tables and their columns."""
    return {
        (model._meta.db_table, field.column)
        for model in state.apps.get_models()
        for field in model._meta.local_fields
    }


def _columns_after(operation: Any, before: Any) -> set[tuple[str, str]]:
    after = before.clone()
    operation.state_forwards("executions", after)
    return _columns(after)


def _is_required(field: models.Field[Any, Any]) -> bool:
    return not field.many_to_many and not field.null and field.db_default is models.NOT_PROVIDED


def test_migrations_after_the_first_only_add() -> None:
    """Fault 57: nothing that old code uses is removed, and nothing new is required of it."""
    found = [
        f"{where}: {why}"
        for where, operation, before in operations_after_first()
        if (why := offence(operation, before))
    ]
    assert found == []


PLANTED_OPERATIONS = {
    "a removed column": migrations.RemoveField("execution", "note"),
    "a renamed column": migrations.RenameField("execution", "note", "remark"),
    "a removed table": migrations.DeleteModel("Stranger"),
    "a renamed table": migrations.RenameModel("Stranger", "ExternalJob"),
    "a removed column, hidden from the database": migrations.SeparateDatabaseAndState(
        state_operations=[migrations.RemoveField("execution", "note")]
    ),
    "SQL": migrations.RunSQL("DROP TABLE executions_stranger"),
    "a new required column": migrations.AddField("execution", "price", models.IntegerField(default=0)),
    "a column that becomes required": migrations.AlterField(
        "execution", "progress", models.FloatField(default=0)
    ),
}


@pytest.mark.parametrize("name", PLANTED_OPERATIONS)
def test_a_planted_offence_is_found(name: str) -> None:
    state = MigrationLoader(None).project_state(("executions", FIRST))
    assert offence(PLANTED_OPERATIONS[name], state)


def test_a_model_may_be_renamed_if_its_table_is_not() -> None:
    state = MigrationLoader(None).project_state(("executions", FIRST))
    migrations.AlterModelTable("stranger", "executions_stranger").state_forwards("executions", state)
    assert offence(migrations.RenameModel("Stranger", "ExternalJob"), state) == ""


@pytest.mark.both_engines
def test_what_the_first_version_writes_can_still_be_written_and_read(ann: Any) -> None:
    """Fault 57: INSERT and UPDATE by the models of the first migration, on the current schema."""
    loader = MigrationLoader(connection)
    old = loader.project_state(("executions", FIRST)).apps
    execution, event = old.get_model("executions", "Execution"), old.get_model("executions", "Event")
    now = timezone.now()

    batch = old.get_model("executions", "Batch").objects.create(
        name="b", tool="t", size=1, created_by_id=ann.pk
    )
    job = execution.objects.create(
        tool="generate-image", created_by_id=ann.pk, idempotency_key="k", batch_id=batch.pk
    )
    event.objects.create(execution=job, kind="started", to_status="queued", source="person", occurred_at=now)
    changed = execution.objects.filter(pk=job.pk, version=0).update(
        status="succeeded", remote_id="vg_exec_1", sent_at=now, ended_at=now, version=1
    )
    file = old.get_model("executions", "File").objects.create(
        remote_id="vg_file_1", type="IMAGE", origin="result"
    )
    old.get_model("executions", "Result").objects.create(execution=job, file=file, position=0)
    delivery = old.get_model("executions", "WebhookDelivery").objects.create(
        webhook_id="msg_1", event="x", outcome="applied", body=b"{}", execution=job
    )
    event.objects.create(
        execution=job,
        kind="status",
        from_status="queued",
        to_status="succeeded",
        source="webhook",
        delivery_id=delivery.pk,
        occurred_at=now,
    )
    endpoint = old.get_model("executions", "WebhookEndpoint").objects.create(
        remote_id="ep_1", url="https://rushes.example.org/", encrypted_secret="x", secret_last4="1234"
    )
    old.get_model("executions", "WebhookEndpoint").objects.filter(pk=endpoint.pk).update(
        verifies_until=now + timedelta(days=1)
    )
    old.get_model("executions", "Rejection").objects.create(reason="method", hour=now, last_at=now)
    old.get_model("executions", "Stranger").objects.create(
        remote_id="vg_exec_2", tool="t", status="running", started_before=now
    )

    assert changed == 1
    from executions.models import Event, Execution

    events = list(Event.objects.filter(execution_id=job.pk).values_list("kind", "to_status"))
    assert events == [("started", "queued"), ("status", "succeeded")]
    assert Execution.objects.get(pk=job.pk).results.count() == 1
