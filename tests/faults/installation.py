"""A data folder and the `manage.py serve` that runs on it: started, killed, restarted, and inspected."""

from __future__ import annotations

import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.dashboard.serving import Serving
from tests.waiting import eventually

FINAL_STATUSES = ("succeeded", "failed", "cancelled")


class Installation:
    """One data folder, and the `serve` that runs on it now, if any."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.serving: Serving | None = None

    def start(self, kind: type[Serving] = Serving, **variables: str) -> Serving:
        self.serving = kind(self.data_dir, **variables)
        return self.serving

    def kill(self) -> None:
        """Kill the server as `kill -9` does. Returns when its sandbox has noticed and stopped as well."""
        assert self.serving is not None
        assert self.serving.stop(signal.SIGKILL) == -signal.SIGKILL
        self.wait_for_sandbox_exit()

    def wait_for_sandbox_exit(self) -> None:
        def is_silent() -> bool:
            with closing(socket.socket()) as probe:
                return probe.connect_ex(("127.0.0.1", self.sandbox_port)) != 0

        eventually(is_silent)

    def end(self) -> None:
        if self.serving is not None:
            self.serving.end()

    @property
    def sandbox_port(self) -> int:
        return int((self.data_dir / "sandbox.port").read_text())

    def control(self, method: str, path: str, json: Any = None) -> Any:
        url = f"http://127.0.0.1:{self.sandbox_port}/sandbox/{path}"
        answer = httpx.request(method, url, json=json, timeout=20, trust_env=False, verify=False)
        answer.raise_for_status()
        return answer.json()

    def sandbox_jobs(self) -> dict[str, list[dict[str, Any]]]:
        """The jobs that the sandbox accepted, by prompt."""
        found: dict[str, list[dict[str, Any]]] = {}
        for each in self.control("GET", "truth")["executions"]:
            found.setdefault(each["request"]["prompt"], []).append(each)
        return found

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the database while the server runs."""
        path = self.data_dir / "rushes.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as database:
            return database.execute(sql).fetchall()

    def jobs(self) -> dict[str, tuple[str, str | None]]:
        """(status, VideoGen's id) by prompt. Fails if a prompt occurs twice."""
        rows = self.query("SELECT prompt, status, remote_id FROM executions_execution")
        found = {prompt: (status, remote_id) for prompt, status, remote_id in rows}
        assert len(found) == len(rows)
        return found

    def wait_until_settled(self) -> dict[str, tuple[str, str | None]]:
        """The jobs, once all are final or unconfirmed, and none runs at the sandbox."""

        def is_settled() -> bool:
            ours = {status for status, _ in self.jobs().values()}
            there = {each["status"] for starts in self.sandbox_jobs().values() for each in starts}
            return ours <= {*FINAL_STATUSES, "unconfirmed"} and there <= set(FINAL_STATUSES)

        eventually(is_settled)
        return self.jobs()

    def outcome_counts(self) -> dict[str, int]:
        """The number of events with a final status, by prompt."""
        rows = self.query(
            "SELECT job.prompt, count(*) FROM executions_event event"
            " JOIN executions_execution job ON job.id = event.execution_id"
            " WHERE event.to_status IN ('succeeded', 'failed', 'cancelled')"
            " AND event.to_status <> event.from_status GROUP BY job.prompt"
        )
        return dict(rows)
