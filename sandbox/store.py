"""Persistent storage: a SQLite file with one table per kind of record, each row a JSON document.

Calls run on the event loop's thread and take a few tens of microseconds. Wrap writes that belong together in
``transaction()``, so that a crash leaves all of them or none.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sandbox.records import EXPORTED, LISTED, Endpoint, Execution, File, Import, Message, Record, Workflow

KINDS: tuple[type[Record], ...] = (Execution, File, Endpoint, Message, Workflow, Import)

_TABLE = """
CREATE TABLE IF NOT EXISTS {name} (
    id TEXT PRIMARY KEY, rank REAL NOT NULL, owner TEXT NOT NULL, listed INTEGER NOT NULL,
    state TEXT NOT NULL, data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS {name}_rank ON {name} (rank DESC, id DESC);
CREATE INDEX IF NOT EXISTS {name}_state ON {name} (state);
"""


class Store:
    """Finds records by id, by rank (for lists) and by state (to resume work after a restart)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "sandbox.db", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._depth = 0
        for kind in KINDS:
            self._db.executescript(_TABLE.format(name=kind.table))
        self._db.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes inside together. Nested transactions join the outer one."""
        self._depth += 1
        if self._depth == 1:
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._depth == 1:
                self._db.execute("ROLLBACK")
            raise
        else:
            if self._depth == 1:
                self._db.execute("COMMIT")
        finally:
            self._depth -= 1

    def save(self, record: Record) -> None:
        self._db.execute(
            f"INSERT OR REPLACE INTO {record.table} (id, rank, owner, listed, state, data) VALUES (?,?,?,?,?,?)",
            (
                record.id,
                record.rank,
                record.owner,
                record.listed,
                record.state,
                json.dumps(record.as_json()),
            ),
        )

    def get[R: Record](self, kind: type[R], record_id: str) -> R | None:
        row = self._db.execute(f"SELECT data FROM {kind.table} WHERE id = ?", (record_id,)).fetchone()
        return None if row is None else kind.from_json(json.loads(row[0]))

    def delete(self, kind: type[Record], record_id: str) -> bool:
        return self._db.execute(f"DELETE FROM {kind.table} WHERE id = ?", (record_id,)).rowcount > 0

    def page[R: Record](
        self,
        kind: type[R],
        limit: int,
        after: tuple[float, str] | None = None,
        owner: str | None = None,
        *,
        exports: bool = False,
    ) -> list[R]:
        """Up to ``limit`` listed records below ``after`` (rank, id), highest rank first."""
        where = ["listed IN (?, ?)"]
        values: list[float | str] = [LISTED, EXPORTED if exports else LISTED]
        if after is not None:
            where.append("(rank, id) < (?, ?)")
            values += list(after)
        if owner is not None:
            where.append("owner = ?")
            values.append(owner)
        rows = self._db.execute(
            f"SELECT data FROM {kind.table} WHERE {' AND '.join(where)} ORDER BY rank DESC, id DESC LIMIT ?",
            (*values, limit),
        )
        return [kind.from_json(json.loads(data)) for (data,) in rows]

    def in_state[R: Record](self, kind: type[R], *states: str) -> list[R]:
        """Records in one of the states, oldest first, archived ones included."""
        placeholders = ",".join("?" * len(states))
        rows = self._db.execute(
            f"SELECT data FROM {kind.table} WHERE state IN ({placeholders}) ORDER BY rank, id", states
        )
        return [kind.from_json(json.loads(data)) for (data,) in rows]

    def secret(self, name: str) -> bytes:
        """Random bytes that stay the same for this data folder."""
        self._db.execute(
            "INSERT OR IGNORE INTO facts (name, value) VALUES (?, ?)", (name, secrets.token_hex(32))
        )
        (value,) = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return bytes.fromhex(value)
