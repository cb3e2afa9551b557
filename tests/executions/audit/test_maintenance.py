"""Maintenance of the audit log: its head is published, it is verified daily, and shutdown interrupts the work."""

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
from tests.executions.audit.conftest import record_events
from tests.waiting import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_head_is_published_and_the_chain_is_verified_once_a_day(
    settings: Any, tmp_path: Path
) -> None:
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchors")
    anchors._last_published.position = 0
    await runtime.in_db(record_events, 3)
    await runtime.in_db(sealing.seal)
    for _ in range(2):
        await maintenance.maintain_audit_log()
    stored = await runtime.in_db(lambda: list(Verification.objects.values_list("position", "problem")))
    assert stored == [(3, "")]
    assert [each.position for each in anchors.read(tmp_path / "anchors")] == [3]


async def test_a_broken_audit_log_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = verification.Finding(GENESIS, "Event 7 was changed.")
    monkeypatch.setattr(verification, "_verify", lambda anchors, on_chunk: broken)
    await maintenance.maintain_audit_log()
    assert "The audit log is not intact: Event 7 was changed." in caplog.text


async def test_maintenance_prunes_old_events(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AUDIT_RETENTION_DAYS = 1
    monkeypatch.setattr(
        "executions.audit.retention.timedelta", lambda days: -maintenance.timedelta(days=days)
    )
    await runtime.in_db(record_events, 3)
    await runtime.in_db(sealing.seal)
    await maintenance.maintain_audit_log()
    assert await runtime.in_db(Summary.objects.count) == 1
    kinds = await runtime.in_db(lambda: list(Event.objects.values_list("kind", flat=True)))
    assert kinds == ["record pruned"]


async def test_an_unwritable_anchor_file_does_not_prevent_verification(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "not mounted" / "anchors")
    anchors._last_published.position = 0
    await runtime.in_db(record_events, 3)
    await runtime.in_db(sealing.seal)
    await maintenance.maintain_audit_log()
    assert "Could not publish the head of the audit log" in caplog.text
    stored = await runtime.in_db(lambda: list(Verification.objects.values_list("position", "problem")))
    assert stored == [(3, "")]


TASKS = {
    "webhooks.deliveries.prune": "Could not prune old deliveries",
    "workers.maintenance.delete_old_rejections": "Could not delete old rejections",
    "workers.maintenance.delete_old_keys": "Could not delete the limits of unused keys",
    "audit.retention.prune": "Could not summarize old events",
    "audit.retention.delete_summarized": "Could not delete summarized events",
    "audit.anchors.publish": "Could not publish the head of the audit log",
    "audit.verification.verify_and_store": "Could not verify the audit log",
    "sync.daily_reconciliation.reconcile_due_days": "Could not reconcile days",
}


@pytest.mark.parametrize("broken", TASKS)
async def test_a_failing_task_does_not_prevent_the_others(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = dict.fromkeys(TASKS, 0)

    def fake(name: str) -> Any:
        def task(*_: Any, **__: Any) -> Any:
            done[name] += 1
            if name == broken:
                raise OSError("the disk is full")
            return verification.Finding(GENESIS, "") if name.endswith("verify_and_store") else None

        async def async_task() -> None:
            task()

        return async_task if name == "sync.daily_reconciliation.reconcile_due_days" else task

    for name in TASKS:
        monkeypatch.setattr(f"executions.{name}", fake(name))
    await maintenance.MaintenanceWorker().step()
    assert done == dict.fromkeys(TASKS, 1)
    assert f"{TASKS[broken]}, will retry" in caplog.text
    assert "the disk is full" in caplog.text


async def test_shutdown_interrupts_a_long_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "CHUNK", 1)
    monkeypatch.setattr(maintenance, "PAUSE", 600)
    await runtime.in_db(record_events, 3)
    await runtime.in_db(sealing.seal)
    started = asyncio.Event()
    loop, digest = asyncio.get_running_loop(), verification.digest

    def signaling_digest(*arguments: Any) -> str:
        loop.call_soon_threadsafe(started.set)
        return digest(*arguments)

    monkeypatch.setattr(verification, "digest", signaling_digest)
    verifying = asyncio.create_task(maintenance._run_in_chunks(verification.verify_and_store))
    await asyncio.wait_for(started.wait(), DEADLINE)
    verifying.cancel()
    await asyncio.wait_for(asyncio.to_thread(runtime.close_database_threads), DEADLINE)
    assert not await runtime.in_db(Verification.objects.exists)
