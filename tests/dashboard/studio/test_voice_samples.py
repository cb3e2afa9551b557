"""A sample of a voice is an ordinary job, which everyone who listens shares."""

from __future__ import annotations

from typing import Any

import pytest

from executions.account import voices
from executions.core import sync_bridge
from executions.models import Execution, File
from executions.sync import submit
from executions.videogen import Voice
from tests.dashboard.browsers import Browser
from tests.factories import jobs

VOICE = Voice.from_wire(
    {
        "voiceId": "vg_voice_maria",
        "displayName": "María",
        "languageCode": "es-ES",
        "supportsDirectToolExecution": True,
    }
)
URL = "/voices/vg_voice_maria/sample/"


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The account has this voice. Returns what is sent to VideoGen."""
    sent: list[Any] = []
    monkeypatch.setattr(voices, "usable", lambda: ([VOICE], ""))
    monkeypatch.setattr(sync_bridge, "spawn", lambda *call: sent.append(call))
    return sent


def finish(job: Execution, status: str) -> None:
    jobs.advance(jobs.accept(job), status)


def test_the_first_listener_starts_a_job_in_the_voices_language(
    ann_browser: Browser, ben_browser: Browser, sent: list[Any]
) -> None:
    answer = ann_browser.post(URL)
    [job] = Execution.objects.all()
    assert (answer.status_code, answer.json()) == (202, {"job": str(job.pk)})
    assert job.created_by == ann_browser.user
    assert job.request_body["ttsText"].startswith("Hola.")
    assert sent == [(submit.send, job.pk)]
    assert ben_browser.post(URL).json() == {"job": str(job.pk)}, "others share the job"
    assert Execution.objects.count() == 1


def test_later_listeners_get_the_file(ann_browser: Browser, ben_browser: Browser) -> None:
    ann_browser.post(URL)
    [job] = Execution.objects.all()
    finish(job, "succeeded")
    [sound] = File.objects.all()
    answer = ben_browser.post(URL)
    assert (answer.status_code, answer.json()) == (200, {"url": f"/files/{sound.pk}/preview"})


def test_after_a_failure_the_next_listener_starts_another_job(ann_browser: Browser) -> None:
    first = ann_browser.post(URL).json()["job"]
    finish(Execution.objects.get(pk=first), "failed")
    assert ann_browser.post(URL).json()["job"] != first
    assert Execution.objects.count() == 2


def test_a_voice_that_no_longer_exists_is_an_error(ann_browser: Browser) -> None:
    answer = ann_browser.post("/voices/vg_voice_other/sample/")
    assert (answer.status_code, answer.json()) == (404, {"error": "This voice no longer exists."})
