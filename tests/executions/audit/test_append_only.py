"""The database itself refuses to change or delete recorded events, on both engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from executions.audit import retention, sealing, triggers, verification
from executions.models import Event, Summary
from tests.executions.audit.conftest import record_events

type Refused = Callable[..., str]
REFUSAL = "append-only"


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE executions_event SET kind = 'signed in'",
        'UPDATE executions_event SET detail = \'{"made": "up"}\'',
        "UPDATE executions_event SET actor_id = NULL, address = '192.0.2.9'",
        "UPDATE executions_event SET id = id + 1000",
        "UPDATE executions_event SET position = 9, hash = 'x', previous_hash = 'y', address = '192.0.2.9'",
        "UPDATE executions_event SET hash = 'x'",
        "UPDATE executions_event SET position = NULL",
        "DELETE FROM executions_event",
    ],
)
def test_an_event_cannot_be_changed_or_deleted(sql: str, sealed: bool, refused: Refused) -> None:
    event = record_events()[0]
    if sealed:
        sealing.seal()
    before = Event.objects.values().get()
    assert REFUSAL in refused(sql)
    assert Event.objects.values().get(pk=event.pk) == before


def test_a_sealed_event_cannot_be_sealed_again(refused: Refused) -> None:
    record_events()
    sealing.seal()
    assert REFUSAL in refused("UPDATE executions_event SET position = 2, previous_hash = 'x', hash = 'y'")


def test_an_event_cannot_be_inserted_with_a_position(refused: Refused) -> None:
    columns = "kind, source, from_status, to_status, occurred_at, recorded_at, detail, position"
    values = "'exported', 'system', '', '', %s, %s, '{}', 7"
    now = timezone.now()
    assert REFUSAL in refused(f"INSERT INTO executions_event ({columns}) VALUES ({values})", now, now)


def test_sqlite_cannot_replace_one_event_by_another(refused: Refused) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("OR REPLACE exists only on SQLite")
    first, second = record_events(2)
    sealing.seal(1)
    columns = "id, kind, source, from_status, to_status, occurred_at, recorded_at, detail"
    values = "%s, 'exported', 'system', '', '', '2026-01-01', '2026-01-01', '{}'"
    assert REFUSAL in refused(
        f"INSERT OR REPLACE INTO executions_event ({columns}) VALUES ({values})", first.pk
    )
    assert REFUSAL in refused(
        "UPDATE OR REPLACE executions_event SET position = 1, hash = 'x' WHERE id = %s", second.pk
    )
    assert Event.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_postgresql_cannot_truncate_the_table(refused: Refused) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("TRUNCATE exists only on PostgreSQL")
    record_events()
    assert REFUSAL in refused("TRUNCATE executions_event CASCADE")
    assert REFUSAL in refused("TRUNCATE executions_summary CASCADE")
    assert REFUSAL in refused("TRUNCATE executions_execution CASCADE"), "nor through CASCADE"


def test_a_summary_cannot_be_changed_or_deleted(refused: Refused, settings: object) -> None:
    settings.AUDIT_RETENTION_DAYS = 1  # type: ignore[attr-defined]
    record_events(2)
    sealing.seal()
    now = timezone.now()
    Summary.objects.create(
        first_position=1, last_position=1, first_at=now, last_at=now, counts={}, previous_hash="", last_hash="", signature=""
    )  # fmt: skip
    assert REFUSAL in refused("UPDATE executions_summary SET last_position = 2")
    assert REFUSAL in refused("DELETE FROM executions_summary")
    assert REFUSAL in refused("DELETE FROM executions_event WHERE position = 2"), (
        "the summary covers only the first"
    )
    assert retention.delete_summarized() == 1
    assert list(Event.objects.values_list("position", flat=True)) == [2]


@pytest.mark.django_db(transaction=True)
def test_migrations_restore_the_triggers() -> None:
    assert triggers.missing(connection) == []
    triggers.drop(connection)
    assert set(triggers.missing(connection)) == set(triggers.required(connection))
    assert "does not refuse changes" in verification.verify().problem
    call_command("migrate", verbosity=0)
    assert triggers.missing(connection) == []


@pytest.mark.django_db(transaction=True)
def test_a_disabled_or_replaced_trigger_counts_as_missing() -> None:
    name = "executions_event_no_update"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE executions_event DISABLE TRIGGER {name}")
        else:
            cursor.execute(f"DROP TRIGGER {name}")
            cursor.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON executions_event BEGIN SELECT 1; END")
    assert triggers.missing(connection) == [name]
    triggers.install(connection)
    assert triggers.missing(connection) == []
