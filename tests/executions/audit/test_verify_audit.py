"""`manage.py verify_audit` finds every change of the audit log and reports where it is."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from executions.audit import hash_chain, retention, sealing, verification
from executions.audit.hash_chain import Head
from executions.core import encryption
from executions.models import Event, Summary, Verification
from tests.executions.audit.conftest import record_events, tamper

pytestmark = pytest.mark.django_db


def verify(*arguments: str) -> str:
    output = io.StringIO()
    call_command("verify_audit", *arguments, stdout=output)
    return output.getvalue()


def problem(*arguments: str) -> str:
    with pytest.raises(CommandError) as raised:
        verify(*arguments)
    assert raised.value.returncode == 1
    return str(raised.value)


def test_an_empty_audit_log_is_intact() -> None:
    assert "The audit log is intact: 0 events." in verify()


def test_an_unchanged_audit_log_is_intact() -> None:
    record_events(5)
    assert f"The audit log is intact: 5 events. Head {hash_chain.head().hash}" not in verify(), (
        "the command sealed the events before it verified them"
    )
    assert f"The audit log is intact: 5 events. Head {hash_chain.head().hash}." in verify()
    stored = Verification.objects.latest("id")
    assert (stored.position, stored.hash, stored.problem) == (5, hash_chain.head().hash, "")


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Twelve events, verified in chunks of five, so that the tests cross the boundaries between chunks."""
    monkeypatch.setattr(verification, "CHUNK", 5)
    record_events(12)
    sealing.seal()
    return list(Event.objects.order_by("position"))


@pytest.mark.parametrize("number", [0, 4, 5, 11])
@pytest.mark.parametrize(
    "change",
    ["kind = 'signed in'", "detail = '{\"x\": 1}'", "address = '192.0.2.1'", "subject_name = 'nothing'"],
)
def test_a_changed_event_is_reported(number: int, change: str, sealed: list[Event]) -> None:
    victim = sealed[number]
    tamper(f"UPDATE executions_event SET {change} WHERE id = %s", victim.pk)
    message = problem()
    assert f"Event {victim.pk} at position {number + 1} was changed after it was sealed." in message
    assert f"Everything up to position {number} is intact." in message


@pytest.mark.parametrize("number", [0, 4, 5])
def test_a_deleted_event_is_reported(number: int, sealed: list[Event]) -> None:
    tamper("DELETE FROM executions_event WHERE id = %s", sealed[number].pk)
    assert f"Position {number + 1} is missing: the next one is event {sealed[number + 1].pk}" in problem()


def test_a_recomputed_hash_does_not_match_the_next_event(sealed: list[Event]) -> None:
    victim = sealed[6]
    values = list(Event.objects.values_list(*hash_chain.COLUMNS).get(pk=victim.pk))
    values[hash_chain.COLUMNS.index("subject_name")] = "forged"
    forged = hash_chain.digest(7, victim.previous_hash, values)
    tamper("UPDATE executions_event SET subject_name = 'forged', hash = %s WHERE id = %s", forged, victim.pk)
    assert f"Event {sealed[7].pk} at position 8 does not continue from the event before it." in problem()


def test_swapped_events_are_reported(sealed: list[Event]) -> None:
    for position, event in ((1000, sealed[2]), (3, sealed[3]), (4, sealed[2])):
        tamper("UPDATE executions_event SET position = %s WHERE id = %s", position, event.pk)
    assert f"Event {sealed[3].pk} at position 3 does not continue" in problem()


# --- anchors ----------------------------------------------------------------------------------------------


def test_an_anchor_reveals_a_cut_off_end(sealed: list[Event], tmp_path: Path) -> None:
    anchor = str(tmp_path / "anchors")
    verify("--write-anchor", anchor)
    record_events(2)
    assert "14 events, and 1 anchors" in verify("--against", anchor)
    Verification.objects.all().delete()
    tamper("DELETE FROM executions_event WHERE position > 11")
    assert "The audit log is intact: 11 events" in verify(), "the rows alone cannot show it"
    assert "ends at position 11, but an anchor names position 12" in problem("--against", anchor)


def test_an_anchor_reveals_a_rebuilt_chain(sealed: list[Event], tmp_path: Path) -> None:
    anchor = str(tmp_path / "anchors")
    verify("--write-anchor", anchor)
    Verification.objects.all().delete()
    tamper("UPDATE executions_event SET subject_name = 'forged' WHERE position = 3")
    tamper("UPDATE executions_event SET position = NULL, previous_hash = '', hash = ''")
    assert "The audit log is intact: 12 events" in verify()
    assert "does not match the anchor" in problem("--against", anchor)


def test_an_earlier_verification_serves_as_an_anchor(sealed: list[Event]) -> None:
    verify()
    tamper("DELETE FROM executions_event WHERE position > 11")
    assert "an anchor names position 12" in problem()


def test_the_head_is_written_to_the_file_once(sealed: list[Event], tmp_path: Path, settings: Any) -> None:
    from executions.audit import anchors

    path = tmp_path / "anchors"
    settings.AUDIT_ANCHOR_FILE = str(path)
    anchors._last_published.position = 0
    anchors.publish()
    anchors.publish()
    assert anchors.read(path) == [Head(12, sealed[-1].hash)]


@pytest.mark.parametrize("content", ["", "not an anchor", "2026-01-01 x " + "0" * 64, "\xff"])
def test_an_invalid_anchor_file_is_reported(content: str, tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    path.write_text(content, encoding="latin-1")
    assert "anchor" in problem("--against", str(path))


# --- retention --------------------------------------------------------------------------------------------


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[Event]:
    """Seven events from a year ago and three from today."""
    settings.AUDIT_RETENTION_DAYS = 30
    monkeypatch.setattr(verification, "CHUNK", 5)
    with pytest.MonkeyPatch.context() as past:
        past.setattr(
            Event._meta.get_field("recorded_at"), "default", lambda: timezone.now() - timedelta(days=365)
        )
        past.setattr(
            Event._meta.get_field("recorded_at"), "_get_default", lambda: timezone.now() - timedelta(days=365)
        )
        record_events(7)
    record_events(3)
    sealing.seal()
    return list(Event.objects.order_by("position"))


def prune() -> Summary | None:
    summary = retention.prune()
    while retention.delete_summarized():
        pass
    return summary


def test_old_events_are_replaced_by_a_signed_summary(old: list[Event]) -> None:
    summary = prune()
    assert summary is not None
    assert (summary.first_position, summary.last_position, summary.counts) == (1, 7, {"exported": 7})
    assert summary.last_hash == old[6].hash
    assert not Event.objects.filter(pk__in=[each.pk for each in old[:7]]).exists()
    assert "The audit log is intact: 11 events" in verify(), "ten, and the event of the pruning"
    assert Event.objects.get(kind="record pruned").detail["events"] == 7
    assert prune() is None, "nothing else is old enough"


def test_nothing_is_pruned_without_a_retention_period(old: list[Event], settings: Any) -> None:
    settings.AUDIT_RETENTION_DAYS = 0
    assert prune() is None
    assert Event.objects.count() == 10


def test_a_broken_chain_is_not_pruned(old: list[Event]) -> None:
    tamper("UPDATE executions_event SET subject_name = 'forged' WHERE position = 2")
    assert prune() is None
    assert Event.objects.count() == 10


def test_deletion_resumes_after_a_crash(old: list[Event]) -> None:
    retention.prune()
    assert "The audit log is intact: 11 events" in verify()
    assert retention.delete_summarized() == 7
    assert "The audit log is intact: 11 events" in verify()


def test_a_forged_summary_is_reported(old: list[Event]) -> None:
    now = timezone.now()
    Summary.objects.create(
        first_position=1, last_position=4, first_at=now, last_at=now, counts={}, previous_hash="0" * 64,
        last_hash=old[3].hash, signature="0" * 64,
    )  # fmt: skip
    while retention.delete_summarized():
        pass
    assert "The summary of events 1 to 4 is not signed with any of our keys." in problem()


def test_a_changed_summary_is_reported(old: list[Event]) -> None:
    prune()
    tamper("UPDATE executions_summary SET counts = '{}'")
    assert "is not signed" in problem()


def test_a_summary_stays_valid_after_key_rotation(old: list[Event], settings: Any) -> None:
    prune()
    settings.ENCRYPTION_KEYS = ["a new key", *settings.ENCRYPTION_KEYS]
    assert "The audit log is intact" in verify()
    assert not encryption.is_signed("text", encryption.sign("another text"))


def test_an_anchor_of_a_pruned_event_is_accepted(old: list[Event], tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    path.write_text("".join(f"2026-01-01 {each.position} {each.hash}\n" for each in old[:8]))
    prune()
    assert "8 anchors" in verify("--against", str(path))
    path.write_text(f"2026-01-01 7 {'f' * 64}\n")
    assert "does not match the anchor" in problem("--against", str(path))
