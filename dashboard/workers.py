"""The background workers of this process, if it runs them, and how views reach them."""

from __future__ import annotations

import uuid

from executions.audit.sealing import SealingWorker
from executions.copies.make_copy import CopyWorker
from executions.core import sync_bridge
from executions.core.worker import Worker, drain_all, run_all
from executions.sync.reconciler import Reconciler
from executions.workers.file_worker import FileWorker
from executions.workers.maintenance import MaintenanceWorker, RollupWorker

reconciler = Reconciler()
_files, _copies = FileWorker(), CopyWorker()
_all: tuple[Worker, ...] = (
    reconciler,
    _files,
    _copies,
    SealingWorker(),
    RollupWorker(),
    MaintenanceWorker(),
)


async def run() -> None:
    """Run all of them until cancelled."""
    with reconciler.listening():
        await run_all(_all)


async def drain(seconds: float) -> None:
    """After `run`: let running work finish, for at most this many seconds."""
    await drain_all(_all, seconds)


def process_soon(execution_id: uuid.UUID) -> None:
    """Do the next step of a job now instead of when it is due."""
    sync_bridge.spawn(reconciler.process_now, execution_id)


def wake() -> None:
    """Make the reconciler do what has become due."""
    reconciler.wake()


def wake_file_workers() -> None:
    """Make the workers for files and copies do what has become due."""
    _files.wake()
    _copies.wake()
