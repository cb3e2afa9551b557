"""A data folder and the `manage.py serve` that runs on it: killed, started again, and asked what it knows."""

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

ENDS = ("succeeded", "failed", "cancelled")


class House:
    """One data folder, and whichever `serve` runs on it now."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.serving: Serving | None = None

    def start(self, kind: type[Serving] = Serving, **variables: str) -> Serving:
        self.serving = kind(self.data_dir, **variables)
        return self.serving

    def kill(self) -> None:
        """As `kill -9` does; returns when its sandbox has noticed and ended too."""
        assert self.serving is not None
        assert self.serving.stop(signal.SIGKILL) == -signal.SIGKILL
        self.wait_for_sandbox_end()

    def wait_for_sandbox_end(self) -> None:
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

    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """What the sandbox accepted, by prompt."""
        found: dict[str, list[dict[str, Any]]] = {}
        for each in self.control("GET", "truth")["executions"]:
            found.setdefault(each["request"]["prompt"], []).append(each)
        return found

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """Read the database beside the server."""
        path = self.data_dir / "rushes.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as database:
            return database.execute(question).fetchall()

    def jobs(self) -> dict[str, tuple[str, str | None]]:
        """(status, VideoGen's id) by prompt; fails where a prompt is there twice."""
        rows = self.ask("SELECT prompt, status, remote_id FROM executions_execution")
        found = {prompt: (status, remote_id) for prompt, status, remote_id in rows}
        assert len(found) == len(rows)
        return found

    def settled(self) -> dict[str, tuple[str, str | None]]:
        """The jobs, once nothing of ours waits for anything but a person, and nothing runs at the sandbox."""

        def look() -> bool:
            ours = {status for status, _ in self.jobs().values()}
            there = {each["status"] for starts in self.truth().values() for each in starts}
            return ours <= {*ENDS, "unconfirmed"} and there <= set(ENDS)

        eventually(look)
        return self.jobs()

    def endings(self) -> dict[str, int]:
        """How many events tell of an end, by prompt."""
        rows = self.ask(
            "SELECT job.prompt, count(*) FROM executions_event event"
            " JOIN executions_execution job ON job.id = event.execution_id"
            " WHERE event.to_status IN ('succeeded', 'failed', 'cancelled')"
            " AND event.to_status <> event.from_status GROUP BY job.prompt"
        )
        return dict(rows)
