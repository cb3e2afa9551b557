"""A job that uses the result of another waits for it, is completed with it, or fails with a message."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from executions import tools
from executions.core import runtime
from executions.lifecycle import chains, leases, observations, status_machine
from executions.models import Execution, Input
from executions.sync.reconciler import Reconciler
from executions.tools import already_validated
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import jobs

AVATAR = tools.find("generate-avatar")
SCRIPT = "Welcome back."


def start(ann: Any, key: str | None = None) -> tuple[Execution, Execution, bool]:
    body = already_validated({"avatarPresenterId": "vg_pres_1", "numResults": 1})
    return chains.start_with_speech(tool=AVATAR, body=body, speech=chains.Speech(SCRIPT), actor=ann, key=key)


def finish(job: Execution, status: str, *file_ids: str) -> None:
    """Submit a queued job and let it finish."""
    remote_id = f"vg_exec_{job.pk}"
    for observation in (observations.SubmissionStarted(), observations.Accepted(remote_id=remote_id)):
        assert status_machine.apply(job.pk, observation)
    assert jobs.report(job, status, results=jobs.results(*file_ids))


def with_first(job: Execution) -> Execution:
    return Execution.objects.select_related("after").get(pk=job.pk)


def test_both_jobs_are_created_together(ann: Any) -> None:
    speech, avatar, is_new = start(ann)

    assert is_new
    assert (speech.tool, speech.request_body) == ("text-to-speech", {"ttsText": SCRIPT, "numResults": 1})
    assert (avatar.tool, avatar.after, avatar.after_field) == ("generate-avatar", speech, "audioFileId")
    assert SCRIPT in avatar.prompt
    assert [jobs.reload(job).status for job in (speech, avatar)] == ["queued", "queued"]
    # The caller holds the lease of the speech and submits it; any worker may submit the avatar.
    assert not leases.claim(speech.pk)
    assert avatar.fingerprint == ""


def test_the_voice_is_sent_if_one_was_chosen() -> None:
    assert chains.Speech(SCRIPT, "vg_voic_1").body["voiceId"] == "vg_voic_1"
    assert "voiceId" not in chains.Speech(SCRIPT).body


def test_a_form_sent_twice_starts_one_chain(ann: Any) -> None:
    first = start(ann, key="k")
    second = start(ann, key="k")

    assert second == (*first[:2], False)
    assert Execution.objects.count() == 2


def test_the_second_job_waits_while_the_first_is_unfinished(ann: Any) -> None:
    speech, avatar, _ = start(ann)
    assert leases.claim(avatar.pk)

    assert chains.completed_body(with_first(avatar)) is None

    now = jobs.reload(avatar)
    assert (now.status, now.sent_at, now.leased_until) == ("queued", None, None)
    assert now.next_attempt_at is not None
    assert now.next_attempt_at > timezone.now()
    assert jobs.reload(speech).status == "queued"


def test_the_second_job_is_completed_with_the_first_result(ann: Any) -> None:
    speech, avatar, _ = start(ann)
    finish(speech, "succeeded", "vg_file_a", "vg_file_b")

    body = chains.completed_body(with_first(avatar))

    assert body == {"avatarPresenterId": "vg_pres_1", "numResults": 1, "audioFileId": "vg_file_a"}
    assert chains.completed_body(with_first(avatar)) == body
    assert list(Input.objects.values_list("execution", "field", "file__remote_id")) == [
        (avatar.pk, "audioFileId", "vg_file_a")
    ]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("failed", "The speech it depends on failed."),
        ("cancelled", "The speech it depends on was cancelled."),
        ("succeeded", "The speech it depends on produced no result."),
    ],
)
def test_the_second_job_fails_with_a_message_when_the_first_has_no_result(
    ann: Any, status: str, message: str
) -> None:
    speech, avatar, _ = start(ann)
    finish(speech, status)

    assert chains.completed_body(with_first(avatar)) is None

    now = jobs.reload(avatar)
    assert now.status == "failed"
    assert now.error == {"message": message}
    assert jobs.events_of(avatar)[-1] == ("status", "queued", "failed", "system")


def test_a_finished_job_wakes_its_dependents(ann: Any) -> None:
    speech, avatar, _ = start(ann)
    leases.claim(avatar.pk)
    chains.completed_body(with_first(avatar))
    assert not leases.claim(avatar.pk)

    assert chains.wake_dependents(speech.pk)
    assert leases.claim(avatar.pk)
    assert not chains.wake_dependents(avatar.pk)


async def test_a_chain_runs_from_a_script_to_an_avatar(account: SandboxProcess, ann: Any) -> None:
    presenter = account.call("GET", "/v1/resources/avatar-presenters").json()["avatarPresenters"][0]
    for slug in ("text-to-speech", "generate-avatar"):
        steps.add_fault(account, "job", slug, seconds=0.05)
    body = already_validated({"avatarPresenterId": presenter["avatarPresenterId"], "numResults": 1})
    speech, avatar, _ = await runtime.in_db(
        chains.start_with_speech,
        tool=AVATAR,
        body=body,
        speech=chains.Speech(SCRIPT),
        actor=ann,
        key=None,
    )
    reconciler = Reconciler()

    await runtime.in_db(leases.release, speech.pk)
    await reconciler.process_now(speech.pk)
    submitted = await steps.reload(speech)
    assert submitted.remote_id is not None
    await steps.sandbox_outcome(account, submitted.remote_id)
    await steps.make_due(speech)
    await reconciler.process_now(speech.pk)
    await steps.make_due(avatar)
    await reconciler.process_now(avatar.pk)

    now = await steps.reload(avatar)
    assert now.status == "pending"
    result = await runtime.in_db(lambda: speech.results.get().file.remote_id)
    executions = account.control("GET", "truth")["executions"]
    remote = next(each for each in executions if each["toolExecutionId"] == now.remote_id)
    assert remote["request"]["audioStorageFileId"] == result
    assert now.request_body == body | {"audioFileId": result}
