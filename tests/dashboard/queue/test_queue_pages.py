"""The queue's pages: permissions, late actions, and what a queued job shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.live import renderer
from dashboard.live.changes import Change
from executions.core import runtime
from executions.lifecycle import observations, queue_actions, queue_state, status_machine
from executions.limits import rate_limits
from executions.models import Event, Execution
from executions.models.event import Kind
from executions.videogen import Group, RateLimit
from tests.dashboard.browsers import HTMX, Browser, text
from tests.factories import jobs, planning
from tests.factories.past_jobs import past_job, write
from tests.markup import attribute, every, one, plain_text, value


def waiting(browser: Browser, prompt: str = "a lighthouse") -> Execution:
    job = jobs.queued(prompt)
    Execution.objects.filter(pk=job.pk).update(created_by=browser.user)
    return jobs.reload(job)


def form(page: str, **changed: str) -> dict[str, str]:
    seen = value(page, "seen")
    return {"prompt": "a pier", "numResults": "1", "watermarkMode": "AUTO", "seen": seen, **changed}


def page_of(browser: Browser, job: Execution) -> str:
    return text(browser.get(f"/executions/{job.pk}/"))


def test_a_queued_job_shows_its_place_and_typical_duration(ann_browser: Browser) -> None:
    now = timezone.now()
    done = [past_job(accepted_at=now, ended_at=now + timedelta(seconds=41)) for _ in range(20)]
    jobs.queued("the first")
    job = waiting(ann_browser)
    assert "2nd in the queue" in page_of(ann_browser, job)
    assert "usually takes" not in page_of(ann_browser, job), "no estimate without data"
    write(*done)
    cache.clear()

    assert "usually takes about 40 s" in page_of(ann_browser, job)
    assert "2nd in the queue" in text(ann_browser.get("/board/"))


def test_the_owner_can_pause_resume_and_prioritise(ann_browser: Browser) -> None:
    jobs.queued("the first")
    job = waiting(ann_browser)

    paused = ann_browser.post(f"/executions/{job.pk}/pause/", headers=HTMX)
    assert paused.status_code == 200
    assert "paused" in text(paused)
    assert f"/executions/{job.pk}/resume/" in paused.content.decode()
    assert ann_browser.post(f"/executions/{job.pk}/resume/").status_code == 303
    assert ann_browser.post(f"/executions/{job.pk}/front/").status_code == 303
    page = page_of(ann_browser, job)
    assert "next in the queue" in page
    for event in ("paused by you", "resumed by you", "moved to front by you"):
        assert event in page


def test_actions_on_a_job_already_sent_are_reported(ann_browser: Browser) -> None:
    job = waiting(ann_browser)
    page = ann_browser.get(f"/executions/{job.pk}/edit/").content.decode()
    status_machine.apply(job.pk, observations.SubmissionStarted())

    assert "Too late: the job has already been sent" in text(
        ann_browser.post(f"/executions/{job.pk}/pause/", follow=True)
    )
    for answer in (
        ann_browser.post(f"/executions/{job.pk}/edit/", form(page)),
        ann_browser.get(f"/executions/{job.pk}/edit/"),
    ):
        assert answer.status_code == 409
        assert "Not saved. Too late" in text(answer)
    assert jobs.reload(job).request_body["prompt"] == "a lighthouse"
    typed = ann_browser.post(f"/executions/{job.pk}/edit/", form(page))
    assert plain_text(typed, "textarea[name=prompt]") == "a pier"
    assert every(typed, '[formaction="/tools/generate-image/"]')


def test_an_edit_is_saved_and_recorded(ann_browser: Browser) -> None:
    job = waiting(ann_browser)
    page = ann_browser.get(f"/executions/{job.pk}/edit/").content.decode()
    assert plain_text(page, "textarea[name=prompt]") == "a lighthouse"

    answer = ann_browser.post(f"/executions/{job.pk}/edit/", form(page))

    assert answer.status_code == 303
    now = jobs.reload(job)
    assert (now.request_body["prompt"], now.prompt) == ("a pier", "a pier")
    assert Event.objects.get(execution=job, kind=Kind.EDITED).actor == ann_browser.user
    assert "edited by you: prompt" in page_of(ann_browser, job)


def test_an_invalid_edit_keeps_the_input_and_changes_nothing(ann_browser: Browser) -> None:
    job = waiting(ann_browser)
    page = ann_browser.get(f"/executions/{job.pk}/edit/").content.decode()

    answer = ann_browser.post(f"/executions/{job.pk}/edit/", form(page, numResults="900"))

    assert answer.status_code == 422
    assert value(answer, "numResults") == "900"
    assert jobs.reload(job) == job


def test_concurrent_edits_do_not_overwrite_each_other(ann_browser: Browser, ada_browser: Browser) -> None:
    job = waiting(ann_browser)
    page = ann_browser.get(f"/executions/{job.pk}/edit/").content.decode()
    assert ada_browser.post(f"/executions/{job.pk}/edit/", form(page, prompt="a harbour")).status_code == 303

    answer = ann_browser.post(f"/executions/{job.pk}/edit/", form(page))

    assert answer.status_code == 409
    assert "Another person edited it in the meantime" in text(answer)
    assert jobs.reload(job).request_body["prompt"] == "a harbour"


@pytest.mark.parametrize("act", ["pause", "resume", "front", "edit"])
def test_other_members_cannot_do_any_of_it(ann_browser: Browser, ben_browser: Browser, act: str) -> None:
    job = waiting(ann_browser)

    assert ben_browser.post(f"/executions/{job.pk}/{act}/").status_code == 403
    assert Event.objects.filter(execution=job).count() == 1
    assert f"/{act}/" not in ben_browser.get(f"/executions/{job.pk}/").content.decode()


def test_a_chained_job_cannot_be_edited(ann_browser: Browser) -> None:
    follower = jobs.queued(after=waiting(ann_browser), after_field="imageFileIds")
    Execution.objects.filter(pk=follower.pk).update(created_by=ann_browser.user)

    answer = ann_browser.get(f"/executions/{follower.pk}/edit/")

    assert answer.status_code == 409
    assert "depends on another job" in text(answer)


def test_admins_pause_the_queue_and_everyone_with_queued_jobs_sees_it(
    ann_browser: Browser, ada_browser: Browser
) -> None:
    job = waiting(ann_browser)
    assert ann_browser.post("/queue/pause/").status_code == 403
    assert "Pause queue" not in ann_browser.get("/queue/").content.decode()

    assert ada_browser.post("/queue/pause/").status_code == 303

    for page in (
        ann_browser.get("/queue/"),
        ann_browser.get("/board/"),
        ann_browser.get(f"/executions/{job.pk}/"),
    ):
        assert "The whole queue is paused by ada" in text(page)
    assert ada_browser.post("/queue/resume/").status_code == 303
    assert not queue_state.is_paused()


def test_a_job_held_by_the_hourly_limit_shows_when_it_resets(
    ann_browser: Browser, ada_browser: Browser
) -> None:
    job = waiting(ann_browser)
    until = timezone.now() + timedelta(minutes=40)
    rate_limits.store(runtime.account_fingerprint(), {Group.TOOLS: RateLimit(500, 0, until)})

    assert f"The hourly limit is used up; next attempt {until:%-d %b %H:%M}" in page_of(ann_browser, job)
    page = text(ada_browser.get("/settings/limits/"))
    assert "0 of 500 starts left this hour" in page
    assert "No starts left this hour" in page
    assert "0 of 500 starts left this hour" in text(ann_browser.get("/queue/"))


def test_a_batch_shows_by_when_it_is_submitted(ann_browser: Browser) -> None:
    plan = planning.plan(ann_browser.user, 300)
    forecast = re.compile(r"All 300 will be submitted by \d+ \w+ \d\d:\d\d ?\. Single jobs have priority\.")
    assert forecast.search(text(ann_browser.get(f"/batches/plans/{plan.pk}/")))

    started = ann_browser.post(f"/batches/plans/{plan.pk}/", {"only": "all"})
    assert forecast.search(text(ann_browser.get(started["location"])))


def test_a_batch_can_be_paused_and_resumed(ann_browser: Browser, ben_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, 3)
    assert ben_browser.post(f"/batches/{batch.pk}/pause/").status_code == 403

    assert ann_browser.post(f"/batches/{batch.pk}/pause/").status_code == 303
    page = text(ann_browser.get(f"/batches/{batch.pk}/"))
    assert "3 jobs paused" in page
    assert "will be submitted by" not in page
    ann_browser.post(f"/batches/{batch.pk}/resume/")
    assert "will be submitted by" in ann_browser.get(f"/batches/{batch.pk}/").content.decode()


def test_queries_of_the_queue_page_do_not_grow(ann_browser: Browser) -> None:
    def filled(count: int) -> int:
        for number in range(count):
            job = waiting(ann_browser, f"pier {number}")
            if number % 3 == 0:
                queue_actions.pause(job, actor=ann_browser.user)
        with CaptureQueriesContext(connection) as captured:
            assert ann_browser.get("/queue/").status_code == 200
        return len(captured)

    filled(3)
    assert filled(3) == filled(30)


# --- live -------------------------------------------------------------------------------------------------


def change(job: Execution, before: str, after: str) -> Change:
    return Change(str(job.pk), job.created_by_id, False, before, after)


def make(rendering: renderer.Rendering, keys: Sequence[renderer.Key]) -> None:
    while keys:
        keys = rendering._make(keys)


def test_jobs_that_move_up_receive_their_new_place(ann_browser: Browser) -> None:
    first, second = waiting(ann_browser), waiting(ann_browser)
    queue_actions.pause(first, actor=ann_browser.user)
    rendering = renderer.Rendering([change(first, "queued", "queued")])

    for topic in ("studio", f"job:{second.pk}"):
        keys = rendering.keys(topic, ann_browser.user)
        make(rendering, keys)
        (frame,) = rendering.frames(keys)
        place = one(frame, f"#place-{second.pk}")
        assert attribute(place, "hx-swap-oob") == "true"
        assert plain_text(place) == "next in the queue"
    queue = rendering.keys("queue", ann_browser.user)
    make(rendering, queue)
    assert rendering.frames(queue) == ["<i data-refetch></i>"]
    assert renderer.Rendering([change(first, "running", "running")]).keys("queue", ann_browser.user) == []


def test_pausing_the_queue_makes_every_page_refetch(ann_browser: Browser) -> None:
    rendering = renderer.Rendering([Change("", None, False, "queued", "queued")])

    for topic in ("studio", "history", f"job:{waiting(ann_browser).pk}", "queue"):
        keys = rendering.keys(topic, ann_browser.user)
        make(rendering, keys)
        assert rendering.frames(keys) == ["<i data-refetch></i>"]
