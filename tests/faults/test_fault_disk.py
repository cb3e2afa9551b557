"""A full disk: row 52 of docs/reliability.md. A real server, whose files temporarily cannot grow."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests import steps
from tests.dashboard.serving import Serving, csrf_token
from tests.factories.deliveries import SECRET, URL, event, signed
from tests.faults.installation import Installation
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="runs on SQLite only"
)


@contextmanager
def full_disk(serving: Serving) -> Iterator[None]:
    """The server cannot write to any file beyond its first 1,024 bytes."""
    _, hard_limit = resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (1024, hard_limit))
    try:
        yield
    finally:
        resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (hard_limit, hard_limit))


@pytest.mark.slow
def test_a_full_disk_is_reported_and_pending_work_is_done_later(tmp_path: Path) -> None:
    """Fault 52: pages can be read, writes are refused with a message, and all work continues once there is space."""
    installation = Installation(tmp_path / "data")
    try:
        serving = installation.start(VIDEOGEN_WEBHOOK_SECRET=SECRET)
        with serving.signed_in() as member:
            before, refused = steps.unique_prompt(), {**steps.form(steps.unique_prompt()), "key": "a" * 32}
            installation.control("POST", "faults", {"faults": [{"kind": "job", "seconds": 2, "count": 1}]})
            answer = member.post("/tools/generate-image/", data={**steps.form(before), **csrf_token(member)})
            assert answer.status_code == 303
            body = event("vg_exec_unknown")
            headers = {**signed(body), "content-type": "application/json"}

            with full_disk(serving):
                page = member.get("/executions/")
                start = member.post("/tools/generate-image/", data={**refused, **csrf_token(member)})
                delivery = httpx.post(f"{serving.url}{URL}", content=body, headers=headers, timeout=30)
                # The job finishes at the sandbox while the server cannot write.
                eventually(lambda: installation.sandbox_jobs()[before][0]["endedAt"])
                again = member.get("/executions/")
            assert (page.status_code, again.status_code) == (200, 200)
            assert before in page.text
            assert start.status_code == 503
            assert "its disk is full. Nothing was changed" in start.text
            assert (delivery.status_code, delivery.headers["retry-after"]) == (503, "5")

            assert installation.jobs().keys() == {before}
            answer = member.post("/tools/generate-image/", data={**refused, **csrf_token(member)})
            assert answer.status_code == 303, "the same form again"
        same = {**headers, **signed(body, headers["webhook-id"])}
        answer = httpx.post(f"{serving.url}{URL}", content=body, headers=same, timeout=30)
        assert json.loads(answer.text) == {"outcome": "unknown job"}
        jobs = installation.wait_until_settled()
        assert {status for status, _ in jobs.values()} == {"succeeded"}
        assert set(installation.outcome_counts().values()) == {1}
        assert len(installation.sandbox_jobs()[refused["prompt"]]) == 1
        assert serving.stop(signal.SIGTERM) == 0
    finally:
        installation.end()
