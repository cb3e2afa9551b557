"""A disk that is full: row 52 of the list of faults. The server is a real one, whose files cannot grow for a while."""

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

from tests.dashboard.serving import Serving, token
from tests.factories.deliveries import SECRET, URL, event, signed
from tests.faults import scenes
from tests.faults.house import House
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="it runs on SQLite, once"
)


@contextmanager
def full_disk(serving: Serving) -> Iterator[None]:
    """No file of the server may be longer than this, or be written to behind it; as long as this lasts."""
    _, most = resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (1024, most))
    try:
        yield
    finally:
        resource.prlimit(serving.process.pid, resource.RLIMIT_FSIZE, (most, most))


def test_a_full_disk_is_said_and_what_could_not_be_written_is_done_later(tmp_path: Path) -> None:
    """Fault 52: pages can be read, what has to be written is refused in words, and all goes on once there is room."""
    house = House(tmp_path / "data")
    try:
        serving = house.start(VIDEOGEN_WEBHOOK_SECRET=SECRET)
        with serving.signed_in() as member:
            before, refused = scenes.words(), {**scenes.form(scenes.words()), "key": "a" * 32}
            house.control("POST", "faults", {"faults": [{"kind": "job", "seconds": 2, "count": 1}]})
            answer = member.post("/tools/generate-image/", data={**scenes.form(before), **token(member)})
            assert answer.status_code == 303
            body = event("vg_exec_of_nobody")
            headers = {**signed(body), "content-type": "application/json"}

            with full_disk(serving):
                page = member.get("/executions/")
                start = member.post("/tools/generate-image/", data={**refused, **token(member)})
                delivery = httpx.post(f"{serving.url}{URL}", content=body, headers=headers, timeout=30)
                # The job ends there while nothing can be written here.
                eventually(lambda: house.truth()[before][0]["endedAt"])
                again = member.get("/executions/")
            assert (page.status_code, again.status_code) == (200, 200)
            assert before in page.text
            assert start.status_code == 503
            assert "its disk is full. Nothing was changed" in start.text
            assert (delivery.status_code, delivery.headers["retry-after"]) == (503, "5")

            assert house.jobs().keys() == {before}
            answer = member.post("/tools/generate-image/", data={**refused, **token(member)})
            assert answer.status_code == 303, "the same form once more"
        same = {**headers, **signed(body, headers["webhook-id"])}
        answer = httpx.post(f"{serving.url}{URL}", content=body, headers=same, timeout=30)
        assert json.loads(answer.text) == {"outcome": "unknown job"}
        ended = house.settled()
        assert {status for status, _ in ended.values()} == {"succeeded"}
        assert set(house.endings().values()) == {1}
        assert len(house.truth()[refused["prompt"]]) == 1
        assert serving.stop(signal.SIGTERM) == 0
    finally:
        house.end()
