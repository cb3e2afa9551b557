"""A job that works from what another one makes waits for it, is completed with it, or fails in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from executions import tools
from executions.core import runtime
from executions.lifecycle import chains, leases, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Execution, Input
from executions.sync.reconciler import Reconciler
from executions.tools import already_validated
from tests.conftest import SandboxProcess
from tests.executions import service
from tests.factories import jobs

AVATAR = tools.find("generate-avatar")
WORDS = "Welcome back."


def start(ann: Any, key: str | None = None) -> tuple[Execution, Execution, bool]:
    body = already_validated({"avatarPresenterId": "vg_pres_1", "numResults": 1})
    return chains.start_spoken(tool=AVATAR, body=body, speech=chains.Speech(WORDS), actor=ann, key=key)


def end(job: Execution, status: str, *file_ids: str) -> None:
    """Let a job that was started here end."""
    remote_id = f"vg_exec_{job.pk}"
    for observation in (observations.SubmissionStarted(), observations.Accepted(remote_id=remote_id)):
        assert lifecycle.apply(job.pk, observation)
    assert jobs.report(job, status, results=jobs.results(*file_ids))


def with_before(job: Execution) -> Execution:
    return Execution.objects.select_related("after").get(pk=job.pk)


def test_both_jobs_are_written_at_once(ann: Any) -> None:
    speech, avatar, is_new = start(ann)

    assert is_new
    assert (speech.tool, speech.request_body) == ("text-to-speech", {"ttsText": WORDS, "numResults": 1})
    assert (avatar.tool, avatar.after, avatar.after_field) == ("generate-avatar", speech, "audioFileId")
    assert WORDS in avatar.prompt
    assert [jobs.fresh(job).status for job in (speech, avatar)] == ["queued", "queued"]
    # Who started them sends the speech; the avatar is anybody's.
    assert not leases.claim(speech.pk)
    assert avatar.fingerprint == ""


def test_a_voice_is_named_where_one_was_chosen() -> None:
    assert chains.Speech(WORDS, "vg_voic_1").body["voiceId"] == "vg_voic_1"
    assert "voiceId" not in chains.Speech(WORDS).body


def test_the_same_form_starts_one_chain(ann: Any) -> None:
    first = start(ann, key="k")
    again = start(ann, key="k")

    assert again == (*first[:2], False)
    assert Execution.objects.count() == 2


def test_it_waits_while_the_job_before_runs(ann: Any) -> None:
    speech, avatar, _ = start(ann)
    assert leases.claim(avatar.pk)

    assert chains.filled_body(with_before(avatar)) is None

    now = jobs.fresh(avatar)
    assert (now.status, now.sent_at, now.leased_until) == ("queued", None, None)
    assert now.next_attempt_at is not None
    assert now.next_attempt_at > timezone.now()
    assert jobs.fresh(speech).status == "queued"


def test_it_is_completed_with_the_first_result(ann: Any) -> None:
    speech, avatar, _ = start(ann)
    end(speech, "succeeded", "vg_file_a", "vg_file_b")

    body = chains.filled_body(with_before(avatar))

    assert body == {"avatarPresenterId": "vg_pres_1", "numResults": 1, "audioFileId": "vg_file_a"}
    assert chains.filled_body(with_before(avatar)) == body
    assert list(Input.objects.values_list("execution", "field", "file__remote_id")) == [
        (avatar.pk, "audioFileId", "vg_file_a")
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("failed", "The speech before it failed."),
        ("cancelled", "The speech before it cancelled."),
        ("succeeded", "The speech before it made nothing."),
    ],
)
def test_it_fails_in_words_when_there_is_nothing_to_work_from(ann: Any, status: str, words: str) -> None:
    speech, avatar, _ = start(ann)
    end(speech, status)

    assert chains.filled_body(with_before(avatar)) is None

    now = jobs.fresh(avatar)
    assert now.status == "failed"
    assert now.error == {"message": words}
    assert jobs.story(avatar)[-1] == ("status", "queued", "failed", "system")


def test_the_end_of_a_job_hurries_those_that_wait_for_it(ann: Any) -> None:
    speech, avatar, _ = start(ann)
    leases.claim(avatar.pk)
    chains.filled_body(with_before(avatar))
    assert not leases.claim(avatar.pk)

    assert chains.hasten(speech.pk)
    assert leases.claim(avatar.pk)
    assert not chains.hasten(avatar.pk)


async def test_a_chain_runs_from_words_to_an_avatar(account: SandboxProcess, ann: Any) -> None:
    presenter = account.call("GET", "/v1/resources/avatar-presenters").json()["avatarPresenters"][0]
    for slug in ("text-to-speech", "generate-avatar"):
        service.order(account, "job", slug, seconds=0.05)
    body = already_validated({"avatarPresenterId": presenter["avatarPresenterId"], "numResults": 1})
    speech, avatar, _ = await runtime.in_db(
        chains.start_spoken,
        tool=AVATAR,
        body=body,
        speech=chains.Speech(WORDS),
        actor=ann,
        key=None,
    )
    reconciler = Reconciler()

    await runtime.in_db(leases.release, speech.pk)
    await reconciler.process_now(speech.pk)
    taken = await service.fresh(speech)
    assert taken.remote_id is not None
    await service.in_thread(service.ended_there, account, taken.remote_id)
    await service.due_now(speech)
    await reconciler.process_now(speech.pk)
    await service.due_now(avatar)
    await reconciler.process_now(avatar.pk)

    now = await service.fresh(avatar)
    assert now.status == "pending"
    result = await runtime.in_db(lambda: speech.results.get().file.remote_id)
    truth = account.control("GET", "truth")["executions"]
    there = next(each for each in truth if each["toolExecutionId"] == now.remote_id)
    assert there["request"]["audioStorageFileId"] == result
    assert now.request_body == body | {"audioFileId": result}
