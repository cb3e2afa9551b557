"""While a new version is rolled out the old one still serves: each migration after the first only adds (fault 57)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

FIRST = "0001_initial"
# What old code names would be gone, or another thing, for as long as it still serves.
NEVER = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.DeleteModel,
    migrations.RenameModel,
    migrations.AlterModelTable,
    migrations.RunSQL,
)


def later() -> Iterator[tuple[str, Any, Any]]:
    """(where, operation, the state before it), for every operation after the first migration."""
    loader = MigrationLoader(None)
    names = sorted(name for app, name in loader.disk_migrations if app == "executions")
    for name in names:
        if name == FIRST:
            continue
        state = loader.project_state(("executions", name), at_end=False)
        # A table that the same migration makes is known to no old code.
        made = set()
        for operation in loader.disk_migrations["executions", name].operations:
            if isinstance(operation, migrations.CreateModel):
                made.add(operation.name_lower)
            if getattr(operation, "model_name_lower", None) in made:
                operation.state_forwards("executions", state)
                continue
            yield f"{name}: {type(operation).__name__}", operation, state.clone()
            operation.state_forwards("executions", state)


def offence(operation: Any, before: Any) -> str:
    """Why old code would fail after this; empty when it would not."""
    if isinstance(operation, NEVER):
        return "takes away what old code uses"
    if isinstance(operation, migrations.AddField) and _is_demanded(operation.field):
        return "adds a column that old code's INSERT does not fill"
    if isinstance(operation, migrations.AlterField) and _is_demanded(operation.field):
        known = before.models["executions", operation.model_name_lower].fields[operation.name]
        if known.null or known.db_default is not models.NOT_PROVIDED:
            return "demands what old code may leave out"
    return ""


def _is_demanded(field: models.Field[Any, Any]) -> bool:
    return not field.many_to_many and not field.null and field.db_default is models.NOT_PROVIDED


def test_migrations_after_the_first_only_add() -> None:
    """Fault 57: nothing that old code names is taken away, and nothing new is demanded of it."""
    found = [f"{where}: {why}" for where, operation, before in later() if (why := offence(operation, before))]
    assert found == []


PLANTED = {
    "a removed column": migrations.RemoveField("execution", "note"),
    "another name": migrations.RenameField("execution", "note", "remark"),
    "a column that has to be filled": migrations.AddField(
        "execution", "price", models.IntegerField(default=0)
    ),
    "a column that may no longer be empty": migrations.AlterField(
        "execution", "progress", models.FloatField(default=0)
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_offence_is_found(what: str) -> None:
    state = MigrationLoader(None).project_state(("executions", FIRST))
    assert offence(PLANTED[what], state)


@pytest.mark.django_db
def test_what_the_first_version_writes_can_still_be_written_and_read(django_user_model: Any) -> None:
    """Fault 57: INSERT and UPDATE as the models of the first migration make them, on the schema of today."""
    loader = MigrationLoader(connection)
    old = loader.project_state(("executions", FIRST)).apps
    person = django_user_model.objects.create(username="ann")
    execution, event = old.get_model("executions", "Execution"), old.get_model("executions", "Event")
    now = timezone.now()

    batch = old.get_model("executions", "Batch").objects.create(
        name="b", tool="t", size=1, created_by_id=person.pk
    )
    job = execution.objects.create(
        tool="generate-image", created_by_id=person.pk, idempotency_key="k", batch_id=batch.pk
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

    told = list(Event.objects.filter(execution_id=job.pk).values_list("kind", "to_status"))
    assert told == [("started", "queued"), ("status", "succeeded")]
    assert Execution.objects.get(pk=job.pk).results.count() == 1
