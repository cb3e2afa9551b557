"""Django's SQLite backend with one writer at a time in this process.

SQLite's own waiting is unfair: with several writing threads, some wait for seconds. A process-wide lock around every
transaction makes them take turns (docs/decisions/0001-sqlite-write-lock.md).
"""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

_write_lock = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    _has_write_lock = False

    def _start_transaction_under_autocommit(self) -> None:
        if not _write_lock.acquire(timeout=self.settings_dict.get("OPTIONS", {}).get("timeout", 20)):
            raise OperationalError(
                "database is locked: another writer of this process did not finish in time"
            )
        self._has_write_lock = True
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # a private method, missing from the stubs
        except BaseException:
            self._release_write_lock()
            raise

    def _release_write_lock(self) -> None:
        if self._has_write_lock:
            self._has_write_lock = False
            _write_lock.release()

    def _commit(self) -> Any:
        # A COMMIT that fails leaves the transaction open: the rollback that follows releases the lock.
        done = super()._commit()  # type: ignore[misc]  # a private method, missing from the stubs
        self._release_write_lock()
        return done

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]  # a private method, missing from the stubs
        finally:
            self._release_write_lock()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]  # a private method, missing from the stubs
        finally:
            self._release_write_lock()
