"""The record is looked after in the background: told, verified once a day, and let go of when the process ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from executions.audit import anchors, sealing, verification
from executions.audit.hash_chain import GENESIS
from executions.core import runtime
from executions.models import Event, Summary, Verification
from executions.workers import maintenance
from tests.executions.audit.conftest import happen
from tests.waiting import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_head_is_told_and_the_chain_is_verified_once_a_day(settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchors")
    anchors._told.position = 0
    await runtime.in_db(happen, 3)
    await runtime.in_db(sealing.seal)
    for _ in range(2):
        await maintenance.maintain_audit_log()
    kept = await runtime.in_db(lambda: list(Verification.objects.values_list("position", "problem")))
    assert kept == [(3, "")]
    assert [each.position for each in anchors.read(tmp_path / "anchors")] == [3]


async def test_a_broken_record_is_said_loudly(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = verification.Finding(GENESIS, "Event 7 was changed.")
    monkeypatch.setattr(verification, "_verify", lambda anchors, on_chunk: broken)
    await maintenance.maintain_audit_log()
    assert "The audit log is not intact: Event 7 was changed." in caplog.text


async def test_pruning_is_done_by_itself(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AUDIT_RETENTION_DAYS = 1
    monkeypatch.setattr(
        "executions.audit.retention.timedelta", lambda days: -maintenance.timedelta(days=days)
    )
    await runtime.in_db(happen, 3)
    await runtime.in_db(sealing.seal)
    await maintenance.maintain_audit_log()
    assert await runtime.in_db(Summary.objects.count) == 1
    kinds = await runtime.in_db(lambda: list(Event.objects.values_list("kind", flat=True)))
    assert kinds == ["record pruned"]


async def test_an_anchor_that_cannot_be_written_keeps_nobody_from_verifying(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "not mounted" / "anchors")
    anchors._told.position = 0
    await runtime.in_db(happen, 3)
    await runtime.in_db(sealing.seal)
    await maintenance.maintain_audit_log()
    assert "Could not publish the head of the audit log" in caplog.text
    kept = await runtime.in_db(lambda: list(Verification.objects.values_list("position", "problem")))
    assert kept == [(3, "")]


DUTIES = {
    "webhooks.deliveries.prune": "Could not prune old deliveries",
    "workers.maintenance.forget_old_rejections": "Could not delete old rejections",
    "workers.maintenance.forget_old_keys": "Could not delete the limits of unused keys",
    "audit.retention.prune": "Could not summarize old events",
    "audit.retention.sweep": "Could not delete summarized events",
    "audit.anchors.tell": "Could not publish the head of the audit log",
    "audit.verification.verify_and_keep": "Could not verify the audit log",
    "sync.daily_reconciliation.close_due": "Could not reconcile days",
}


@pytest.mark.parametrize("broken", DUTIES)
async def test_no_duty_that_fails_silences_another(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = dict.fromkeys(DUTIES, 0)

    def fake(name: str) -> Any:
        def duty(*_: Any, **__: Any) -> Any:
            done[name] += 1
            if name == broken:
                raise OSError("the disk is full")
            return verification.Finding(GENESIS, "") if name.endswith("verify_and_keep") else None

        async def later() -> None:
            duty()

        return later if name == "sync.daily_reconciliation.close_due" else duty

    for name in DUTIES:
        monkeypatch.setattr(f"executions.{name}", fake(name))
    await maintenance.MaintenanceWorker().step()
    assert done == dict.fromkeys(DUTIES, 1)
    assert f"{DUTIES[broken]}, will retry" in caplog.text
    assert "the disk is full" in caplog.text


async def test_a_long_walk_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "CHUNK", 1)
    monkeypatch.setattr(maintenance, "PAUSE", 600)
    await runtime.in_db(happen, 3)
    await runtime.in_db(sealing.seal)
    begun = asyncio.Event()
    loop, digest = asyncio.get_running_loop(), verification.digest

    def noted(*arguments: Any) -> str:
        loop.call_soon_threadsafe(begun.set)
        return digest(*arguments)

    monkeypatch.setattr(verification, "digest", noted)
    walking = asyncio.create_task(maintenance._walk(verification.verify_and_keep))
    await asyncio.wait_for(begun.wait(), DEADLINE)
    walking.cancel()
    await asyncio.wait_for(asyncio.to_thread(runtime.close_database_threads), DEADLINE)
    assert not await runtime.in_db(Verification.objects.exists)
