"""`manage.py verify_audit` finds whatever was done to the record behind its back, and names it."""

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
from tests.executions.audit.conftest import happen, tamper

pytestmark = pytest.mark.django_db


def verify(*arguments: str) -> str:
    told = io.StringIO()
    call_command("verify_audit", *arguments, stdout=told)
    return told.getvalue()


def problem(*arguments: str) -> str:
    with pytest.raises(CommandError) as raised:
        verify(*arguments)
    assert raised.value.returncode == 1
    return str(raised.value)


def test_an_empty_record_holds() -> None:
    assert "The audit log is intact: 0 events." in verify()


def test_a_record_that_nobody_touched_holds() -> None:
    happen(5)
    assert f"The audit log is intact: 5 events. Head {hash_chain.head().hash}" not in verify(), (
        "sealed on the way"
    )
    assert f"The audit log is intact: 5 events. Head {hash_chain.head().hash}." in verify()
    kept = Verification.objects.latest("id")
    assert (kept.position, kept.hash, kept.problem) == (5, hash_chain.head().hash, "")


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Twelve events; chunks of five, so that every border between two of them is crossed."""
    monkeypatch.setattr(verification, "CHUNK", 5)
    happen(12)
    sealing.seal()
    return list(Event.objects.order_by("position"))


@pytest.mark.parametrize("number", [0, 4, 5, 11])
@pytest.mark.parametrize(
    "change",
    ["kind = 'signed in'", "detail = '{\"x\": 1}'", "address = '192.0.2.1'", "subject_name = 'nothing'"],
)
def test_a_changed_event_is_named(number: int, change: str, sealed: list[Event]) -> None:
    victim = sealed[number]
    tamper(f"UPDATE executions_event SET {change} WHERE id = %s", victim.pk)
    said = problem()
    assert f"Event {victim.pk} at position {number + 1} was changed after it was sealed." in said
    assert f"Everything up to position {number} is intact." in said


@pytest.mark.parametrize("number", [0, 4, 5])
def test_a_deleted_event_is_missed(number: int, sealed: list[Event]) -> None:
    tamper("DELETE FROM executions_event WHERE id = %s", sealed[number].pk)
    assert f"Position {number + 1} is missing: the next one is event {sealed[number + 1].pk}" in problem()


def test_an_event_that_was_hashed_anew_does_not_fit_the_next(sealed: list[Event]) -> None:
    victim = sealed[6]
    said = list(Event.objects.values_list(*hash_chain.COLUMNS).get(pk=victim.pk))
    said[hash_chain.COLUMNS.index("subject_name")] = "forged"
    forged = hash_chain.digest(7, victim.previous_hash, said)
    tamper("UPDATE executions_event SET subject_name = 'forged', hash = %s WHERE id = %s", forged, victim.pk)
    assert f"Event {sealed[7].pk} at position 8 does not go on from the event before it." in problem()


def test_two_events_that_changed_places_are_found(sealed: list[Event]) -> None:
    for position, event in ((1000, sealed[2]), (3, sealed[3]), (4, sealed[2])):
        tamper("UPDATE executions_event SET position = %s WHERE id = %s", position, event.pk)
    assert f"Event {sealed[3].pk} at position 3 does not go on" in problem()


# --- anchors ----------------------------------------------------------------------------------------------


def test_an_end_that_was_cut_off_is_known_by_an_anchor(sealed: list[Event], tmp_path: Path) -> None:
    anchor = str(tmp_path / "anchors")
    verify("--write-anchor", anchor)
    happen(2)
    assert "14 events, and 1 anchors" in verify("--against", anchor)
    Verification.objects.all().delete()
    tamper("DELETE FROM executions_event WHERE position > 11")
    assert "The audit log is intact: 11 events" in verify(), "the rows alone do not tell"
    assert "ends at position 11, but an anchor knows of position 12" in problem("--against", anchor)


def test_a_chain_that_was_made_anew_is_known_by_an_anchor(sealed: list[Event], tmp_path: Path) -> None:
    anchor = str(tmp_path / "anchors")
    verify("--write-anchor", anchor)
    Verification.objects.all().delete()
    tamper("UPDATE executions_event SET subject_name = 'forged' WHERE position = 3")
    tamper("UPDATE executions_event SET position = NULL, previous_hash = '', hash = ''")
    assert "The audit log is intact: 12 events" in verify()
    assert "is another one than the anchor says" in problem("--against", anchor)


def test_an_earlier_verification_is_an_anchor_too(sealed: list[Event]) -> None:
    verify()
    tamper("DELETE FROM executions_event WHERE position > 11")
    assert "an anchor knows of position 12" in problem()


def test_the_head_is_told_once_to_the_file(sealed: list[Event], tmp_path: Path, settings: Any) -> None:
    from executions.audit import anchors

    path = tmp_path / "anchors"
    settings.AUDIT_ANCHOR_FILE = str(path)
    anchors._told.position = 0
    anchors.tell()
    anchors.tell()
    assert anchors.read(path) == [Head(12, sealed[-1].hash)]


@pytest.mark.parametrize("content", ["", "not an anchor", "2026-01-01 x " + "0" * 64, "\xff"])
def test_a_file_that_is_no_anchor_is_said_to_be_none(content: str, tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    path.write_text(content, encoding="latin-1")
    assert "anchor" in problem("--against", str(path))


# --- retention --------------------------------------------------------------------------------------------


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[Event]:
    """Seven events of last year, and three of today."""
    settings.AUDIT_RETENTION_DAYS = 30
    monkeypatch.setattr(verification, "CHUNK", 5)
    with pytest.MonkeyPatch.context() as past:
        past.setattr(
            Event._meta.get_field("recorded_at"), "default", lambda: timezone.now() - timedelta(days=365)
        )
        past.setattr(
            Event._meta.get_field("recorded_at"), "_get_default", lambda: timezone.now() - timedelta(days=365)
        )
        happen(7)
    happen(3)
    sealing.seal()
    return list(Event.objects.order_by("position"))


def prune() -> Summary | None:
    summary = retention.prune()
    while retention.sweep():
        pass
    return summary


def test_what_is_old_leaves_a_signed_summary_and_the_chain_holds(old: list[Event]) -> None:
    summary = prune()
    assert summary is not None
    assert (summary.first_position, summary.last_position, summary.counts) == (1, 7, {"exported": 7})
    assert summary.last_hash == old[6].hash
    assert not Event.objects.filter(pk__in=[each.pk for each in old[:7]]).exists()
    assert "The audit log is intact: 11 events" in verify(), "ten, and that it was pruned"
    assert Event.objects.get(kind="record pruned").detail["events"] == 7
    assert prune() is None, "nothing more is due"


def test_nothing_is_pruned_without_the_rule(old: list[Event], settings: Any) -> None:
    settings.AUDIT_RETENTION_DAYS = 0
    assert prune() is None
    assert Event.objects.count() == 10


def test_a_broken_chain_is_not_pruned_away(old: list[Event]) -> None:
    tamper("UPDATE executions_event SET subject_name = 'forged' WHERE position = 2")
    assert prune() is None
    assert Event.objects.count() == 10


def test_a_crash_before_the_events_are_deleted_is_made_good(old: list[Event]) -> None:
    retention.prune()
    assert "The audit log is intact: 11 events" in verify()
    assert retention.sweep() == 7
    assert "The audit log is intact: 11 events" in verify()


def test_a_made_up_summary_is_found(old: list[Event]) -> None:
    now = timezone.now()
    Summary.objects.create(
        first_position=1, last_position=4, first_at=now, last_at=now, counts={}, previous_hash="0" * 64,
        last_hash=old[3].hash, signature="0" * 64,
    )  # fmt: skip
    while retention.sweep():
        pass
    assert "The summary of events 1 to 4 is not signed with any of our keys." in problem()


def test_a_changed_summary_is_found(old: list[Event]) -> None:
    prune()
    tamper("UPDATE executions_summary SET counts = '{}'")
    assert "is not signed" in problem()


def test_a_summary_holds_after_the_key_was_rotated(old: list[Event], settings: Any) -> None:
    prune()
    settings.ENCRYPTION_KEYS = ["a new key", *settings.ENCRYPTION_KEYS]
    assert "The audit log is intact" in verify()
    assert not encryption.is_signed("text", encryption.sign("another text"))


def test_an_anchor_within_what_was_pruned_does_no_harm(old: list[Event], tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    path.write_text("".join(f"2026-01-01 {each.position} {each.hash}\n" for each in old[:8]))
    prune()
    assert "8 anchors" in verify("--against", str(path))
    path.write_text(f"2026-01-01 7 {'f' * 64}\n")
    assert "another one than the anchor says" in problem("--against", str(path))
