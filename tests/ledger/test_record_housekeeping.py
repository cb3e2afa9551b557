"""The record is looked after in the background: told, verified once a day, and let go of when the process ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from executions import housekeeping, runtime
from executions.ledger import anchors, sealing, verifying
from executions.ledger.links import GENESIS
from executions.models import Event, Summary, Verification
from tests.ledger.conftest import happen

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_head_is_told_and_the_chain_is_verified_once_a_day(settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchors")
    anchors._told.position = 0
    await runtime.in_db(happen, 3)
    await runtime.in_db(sealing.seal)
    for _ in range(2):
        await housekeeping.look_after_the_record()
    kept = await runtime.in_db(lambda: list(Verification.objects.values_list("position", "problem")))
    assert kept == [(3, "")]
    assert [each.position for each in anchors.read(tmp_path / "anchors")] == [3]


async def test_a_broken_record_is_said_loudly(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = verifying.Finding(GENESIS, "Event 7 was changed.")
    monkeypatch.setattr(verifying, "_verify", lambda anchors, on_chunk: broken)
    await housekeeping.look_after_the_record()
    assert "The record does not hold: Event 7 was changed." in caplog.text


async def test_pruning_is_done_by_itself(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AUDIT_RETENTION_DAYS = 1
    monkeypatch.setattr(
        "executions.ledger.pruning.timedelta", lambda days: -housekeeping.timedelta(days=days)
    )
    await runtime.in_db(happen, 3)
    await runtime.in_db(sealing.seal)
    await housekeeping.look_after_the_record()
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
    await housekeeping.look_after_the_record()
    assert "The record's head could not be told" in caplog.text
    kept = await runtime.in_db(lambda: list(Verification.objects.values_list("position", "problem")))
    assert kept == [(3, "")]


DUTIES = {
    "deliveries.prune": "Old deliveries could not be pruned",
    "housekeeping.forget_old_rejections": "Old rejections could not be forgotten",
    "housekeeping.forget_old_keys": "Keys that are not used any more could not be forgotten",
    "ledger.pruning.prune": "Old events could not be summarized",
    "ledger.pruning.sweep": "Events that were summarized could not be deleted",
    "ledger.anchors.tell": "The record's head could not be told",
    "ledger.verifying.verify_and_keep": "The record could not be verified",
    "closing.close_due": "Days could not be closed",
}


@pytest.mark.parametrize("broken", DUTIES)
async def test_no_duty_that_fails_silences_another(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = dict.fromkeys(DUTIES, 0)
    asleep = asyncio.Event()

    def fake(name: str) -> Any:
        def duty(*_: Any, **__: Any) -> Any:
            done[name] += 1
            if name == broken:
                raise OSError("the disk is full")
            return verifying.Finding(GENESIS, "") if name.endswith("verify_and_keep") else None

        async def later() -> None:
            duty()

        return later if name == "closing.close_due" else duty

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    for name in DUTIES:
        monkeypatch.setattr(f"executions.{name}", fake(name))
    monkeypatch.setattr("executions.housekeeping.asyncio.sleep", sleep)
    working = asyncio.create_task(housekeeping._tidy())
    await asyncio.wait_for(asleep.wait(), 30)
    working.cancel()
    assert done == dict.fromkeys(DUTIES, 1)
    assert f"{DUTIES[broken]}, and that is tried again" in caplog.text
    assert "the disk is full" in caplog.text


async def test_a_long_walk_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "CHUNK", 1)
    monkeypatch.setattr(housekeeping, "BREATH", 600)
    await runtime.in_db(happen, 3)
    await runtime.in_db(sealing.seal)
    begun = asyncio.Event()
    loop, digest = asyncio.get_running_loop(), verifying.digest

    def noted(*arguments: Any) -> str:
        loop.call_soon_threadsafe(begun.set)
        return digest(*arguments)

    monkeypatch.setattr(verifying, "digest", noted)
    walking = asyncio.create_task(housekeeping._walk(verifying.verify_and_keep))
    await asyncio.wait_for(begun.wait(), 30)
    walking.cancel()
    await asyncio.wait_for(asyncio.to_thread(runtime.close_database_threads), 30)
    assert not await runtime.in_db(Verification.objects.exists)
