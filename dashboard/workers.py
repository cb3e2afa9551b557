"""The reconciler and the keeper of files of this process, if it has them, and how views reach them."""

from __future__ import annotations

import uuid

from executions.core import runtime
from executions.sync.reconciler import Reconciler
from executions.workers.file_worker import Keeper

reconciler = Reconciler()
keeper = Keeper()


def hurry(execution_id: uuid.UUID) -> None:
    """Do the next thing for a job now, rather than at its next look."""
    runtime.spawn(reconciler.hurry, execution_id)


def wake() -> None:
    """Let the reconciler look now at what has become due."""
    loop = runtime.attached_loop()
    if loop is not None:
        loop.call_soon_threadsafe(reconciler.wake)


def look_at_files() -> None:
    """Do what is due for files now."""
    loop = runtime.attached_loop()
    if loop is not None:
        loop.call_soon_threadsafe(keeper.wake)
