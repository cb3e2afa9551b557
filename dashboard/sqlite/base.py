"""Django's SQLite backend with one writer at a time in this process.

SQLite's own waiting is unfair: with several threads writing, some wait for seconds. A process-wide lock
around every transaction makes them take turns (docs/architecture.md has the figures).
"""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    _has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        if not _turn.acquire(timeout=self.settings_dict.get("OPTIONS", {}).get("timeout", 20)):
            raise OperationalError(
                "database is locked: another writer of this process did not finish in time"
            )
        self._has_turn = True
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # a private method that the stubs leave out
        except BaseException:
            self._end_turn()
            raise

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turn.release()

    def _commit(self) -> Any:
        # A COMMIT that fails leaves the transaction open: the rollback that follows gives the turn up.
        done = super()._commit()  # type: ignore[misc]  # a private method that the stubs leave out
        self._end_turn()
        return done

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]  # a private method that the stubs leave out
        finally:
            self._end_turn()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]  # a private method that the stubs leave out
        finally:
            self._end_turn()
