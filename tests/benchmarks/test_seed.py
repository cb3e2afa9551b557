"""Generated histories: realistic, reproducible by seed, and never mixed with real jobs by accident."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from executions.audit import sealing
from executions.models import Event, Execution
from executions.search.text import matching
from executions.search.text.columns import SEARCHED
from executions.search.text.indexes import is_complete

pytestmark = [pytest.mark.both_engines, pytest.mark.django_db(transaction=True)]


def seed(**options: Any) -> str:
    said = StringIO()
    call_command("seed_history", executions=500, people=5, days=30, stdout=said, **options)
    return said.getvalue()


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "executions_execution")
        found |= connection.introspection.get_constraints(cursor, "executions_event")
    return {name for name, each in found.items() if each["index"] or each["foreign_key"]}


def test_the_history_can_be_shown_on_pages(settings: Any) -> None:
    settings.USES_SANDBOX = True
    before = indexes()
    assert "500 jobs in" in seed(seed=1)
    assert indexes() == before, "what made writing slow is back"
    assert all(is_complete(connection, each) for each in SEARCHED)
    assert Execution.objects.count() == 500
    assert set(Execution.objects.values_list("status", flat=True)) == {"succeeded", "failed", "cancelled"}
    assert Execution.objects.filter(status="failed", error_code=None).count() == 0
    job = Execution.objects.filter(origin="here").newest_first().first()
    assert job is not None
    assert [event.kind for event in job.events.all()] == ["started", "sent", "status", "status"]
    assert not Execution.objects.filter(events=None).exists()
    assert matching(Execution.objects.all(), "prompt", "lighthouse").exists()


def test_unsealed_events_are_found_by_index(settings: Any) -> None:
    """Statistics from when all events were unsealed must not cause a scan of the whole audit log."""
    settings.USES_SANDBOX = True
    seed(seed=1)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # For so few events, a full scan would be the right plan.
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "event_to_seal" in Event.objects.unsealed()[:10].explain()
    sealing.seal_all()
    assert not sealing.has_unsealed()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="on PostgreSQL the rules hold while it writes")
def test_rows_written_without_checks_are_valid(settings: Any) -> None:
    settings.USES_SANDBOX = True
    seed(seed=1)
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert cursor.execute("PRAGMA foreign_key_check").fetchall() == []
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("UPDATE executions_execution SET progress = 101")


def test_the_same_seed_generates_the_same_jobs(settings: Any) -> None:
    settings.USES_SANDBOX = True
    seed(seed=7)
    first = sorted(Execution.objects.values_list("prompt", "tool", "status"))
    seed(seed=7, yes=True)
    assert sorted(Execution.objects.values_list("prompt", "tool", "status")) == sorted(first * 2)


def test_it_is_not_mixed_with_real_jobs(settings: Any) -> None:
    settings.USES_SANDBOX = False
    with pytest.raises(CommandError, match="is for real jobs"):
        seed()
    settings.USES_SANDBOX = True
    seed()
    with pytest.raises(CommandError, match="has jobs already"):
        seed()
    assert Execution.objects.count() == 500
    assert Event.objects.count() >= 1500
