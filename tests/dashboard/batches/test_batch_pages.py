"""The pages of a batch, the permissions on them, and that their queries do not grow with their rows."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.batches import service as batches
from executions.core import chunked
from executions.models import Batch, BatchCancel, BatchPlan, Event, Execution
from executions.models.event import ActKind
from executions.team import settings as team_settings
from executions.videogen import ToolResult
from tests.dashboard.browsers import Browser, text
from tests.factories import planning
from tests.factories.jobs import accept
from tests.markup import every, link, parse

pytestmark = pytest.mark.django_db


def test_a_batch_page_counts_and_filters_jobs(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, 4)
    failed, fine, *_ = planning.jobs(batch)
    planning.finish(failed, "failed", error={"message": "no"})
    planning.finish(fine, "succeeded")
    url = f"/batches/{batch.pk}/"

    words = text(ann_browser.get(url))

    assert "2 of 4 finished" in words
    assert "1 succeeded" in words
    assert "1 failed" in words
    assert "2 queued" in words
    only = ann_browser.get(url, {"status": "failed"}).content.decode()
    assert f"row-{failed.pk}" in only
    assert f"row-{fine.pk}" not in only
    assert "No job in this batch has this status" in text(ann_browser.get(url, {"status": "\x00strange"}))


@pytest.mark.parametrize(
    ("ends", "badge"),
    [
        (["succeeded", "succeeded"], "succeeded you"),
        (["succeeded", "cancelled"], "1 of 2 succeeded you"),
        (["cancelled", "cancelled"], "cancelled you"),
        (["succeeded", "failed"], "1 failed you"),
        (["succeeded", "unconfirmed"], "1 unconfirmed you"),
        (["succeeded", "queued"], "queued you"),
        (["succeeded", "pending"], "running you"),
    ],
)
def test_the_badge_of_a_batch(ann_browser: Browser, ends: list[str], badge: str) -> None:
    batch = planning.batch(ann_browser.user, 2)
    for job, status in zip(planning.jobs(batch), ends, strict=True):
        planning.bring_to(job, status)

    assert f"Lighthouses {badge}" in text(ann_browser.get(f"/batches/{batch.pk}/"))


def test_a_long_batch_is_paginated(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, 101)

    first = parse(ann_browser.get(f"/batches/{batch.pk}/"))
    second = ann_browser.get(link(first, "a[rel=next]"))

    assert [len(every(page, '[id^="row-"]')) for page in (first, second)] == [100, 1]


def test_an_undo_by_the_owner_cancels_every_job(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, held=True)

    answer = ann_browser.post(f"/batches/{batch.pk}/undo/")

    assert answer.status_code == 303
    assert "No job ran, and nothing is billed" in text(ann_browser.get(answer["Location"]))
    assert {job.status for job in planning.jobs(batch)} == {"cancelled"}


def test_a_late_undo_is_reported(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user)

    answer = ann_browser.post(f"/batches/{batch.pk}/undo/")

    assert "Too late to undo" in text(ann_browser.get(answer["Location"]))
    assert {job.status for job in planning.jobs(batch)} == {"queued"}


def test_an_undone_batch_can_be_started_again(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, held=True)
    ann_browser.post(f"/batches/{batch.pk}/undo/")
    assert "Start again" in text(ann_browser.get(f"/batches/{batch.pk}/"))

    answer = ann_browser.post(f"/batches/{batch.pk}/again/?status=cancelled")

    assert "3 rows, all valid" in text(ann_browser.get(answer["Location"]))


def test_cancel_lists_the_jobs_first_and_reports_each_outcome(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, 3)
    _, running, ended = planning.jobs(batch)
    accept(running)
    listed = ann_browser.post(f"/batches/{batch.pk}/cancel/")["Location"]
    assert "Cancel 3 jobs?" in text(ann_browser.get(listed))
    planning.finish(ended, "succeeded")

    done = ann_browser.post(listed)

    words = text(ann_browser.get(done["Location"]))
    assert "a lighthouse 1 cancelled before it was sent" in words
    assert "a lighthouse 2 cancel requested at VideoGen" in words
    assert "a lighthouse 3 already finished: succeeded" in words
    assert [job.status for job in planning.jobs(batch)] == ["cancelled", "pending", "succeeded"]
    assert ann_browser.post(f"/batches/{batch.pk}/cancel/").status_code == 303


def test_an_interrupted_cancel_is_reported_and_resumed(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked, "CHUNK_SIZE", 2)
    batch = planning.batch(ann_browser.user, 5)
    url = f"/batches/{batch.pk}/cancel/{planning.cancel_request(batch, actor=ann_browser.user).pk}/"
    outcome, done = batches.cancel_outcome, []

    def breaks(*of_one: Any) -> str:
        if len(done) == 3:
            raise OperationalError("the database is away")
        done.append(of_one)
        return outcome(*of_one)

    with monkeypatch.context() as broken, pytest.raises(OperationalError):
        broken.setattr(batches, "cancel_outcome", breaks)
        ann_browser.post(url)
    assert "In progress: 3 of 5 remaining." in text(ann_browser.get(url))
    BatchCancel.objects.update(done_at=timezone.now() - chunked.STALL_TIMEOUT)
    assert "Interrupted: 3 of 5 remaining." in text(ann_browser.get(url))
    assert ann_browser.post(url).status_code == 303
    assert text(ann_browser.get(url)).count("cancelled before it was sent") == 5


def test_a_finished_batch_cannot_be_cancelled(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, 1)
    planning.finish(planning.jobs(batch)[0], "succeeded")

    answer = ann_browser.post(f"/batches/{batch.pk}/cancel/")

    assert "There is nothing to cancel" in text(ann_browser.get(answer["Location"]))
    assert not BatchCancel.objects.exists()


def test_anyone_can_run_failed_jobs_again(ann_browser: Browser, ben_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, 2)
    failed, fine = planning.jobs(batch)
    planning.finish(failed, "failed", error={"message": "no"})
    planning.finish(fine, "succeeded")
    assert "Run 1 failed job again" in text(ben_browser.get(f"/batches/{batch.pk}/"))

    plan = ben_browser.post(f"/batches/{batch.pk}/again/?status=failed")["Location"]
    started = ben_browser.post(plan)["Location"]

    fresh = Batch.objects.exclude(pk=batch.pk).get()
    assert started == f"/batches/{fresh.pk}/"
    assert fresh.created_by == ben_browser.user
    assert [job.request_body for job in planning.jobs(fresh)] == [failed.request_body]


def test_run_again_validates_the_rows_again(ann_browser: Browser) -> None:
    batch = planning.batch(ann_browser.user, 1)
    job = planning.jobs(batch)[0]
    Execution.objects.filter(pk=job.pk).update(request_body={**job.request_body, "imageFileIds": ["vg_gone"]})
    planning.finish(job, "failed", error={"message": "no"})

    answer = ann_browser.post(f"/batches/{batch.pk}/again/?status=failed")

    assert "Nothing was started. Job 1: Reference images: A chosen file is no longer in the library" in text(
        ann_browser.get(answer["Location"])
    )
    assert not BatchPlan.objects.filter(batch=None).exists()
    assert ann_browser.post(f"/batches/{batch.pk}/again/?status=succeeded").status_code == 400


# --- permissions ------------------------------------------------------------------------------------------


def test_everyone_sees_a_batch_but_only_its_owner_and_admins_can_stop_it(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    batch = planning.batch(ann_browser.user, held=True)
    url = f"/batches/{batch.pk}/"
    cancel = planning.cancel_request(batch, actor=ann_browser.user)

    page = ben_browser.get(url)

    assert page.status_code == 200
    assert "Undo" not in text(page)
    for path in (f"{url}undo/", f"{url}cancel/", f"{url}cancel/{cancel.pk}/"):
        assert ben_browser.post(path).status_code == 403, path
    assert ben_browser.get(f"{url}cancel/{cancel.pk}/").status_code == 403
    assert {job.status for job in planning.jobs(batch)} == {"queued"}
    assert "Undo" in text(ada_browser.get(url))
    assert ada_browser.post(f"{url}undo/").status_code == 303
    assert {job.status for job in planning.jobs(batch)} == {"cancelled"}


def test_a_member_who_may_cancel_anothers_batch_is_not_offered_to_pause_it(
    ann_browser: Browser, ben_browser: Browser, people: Any
) -> None:
    url = f"/batches/{planning.batch(ann_browser.user).pk}/"
    team_settings.change(team_settings.TEAM_CANCELS, True, actor=people.ada)

    page = ben_browser.get(url)

    assert every(page, f"[formaction='{url}cancel/']")
    assert not every(page, "#pause-batch, #resume-batch")
    assert ben_browser.post(f"{url}pause/").status_code == 403
    assert every(ann_browser.get(url), "#pause-batch")


def test_only_its_creator_sees_and_confirms_a_plan(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    plan = planning.plan(ann_browser.user)

    for other in (ben_browser, ada_browser):
        assert other.get(f"/batches/plans/{plan.pk}/").status_code == 404
        assert other.post(f"/batches/plans/{plan.pk}/").status_code == 404
    assert not Execution.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_only_a_download_of_the_results_is_recorded_not_a_request_for_its_headers(
    ann_browser: Browser,
) -> None:
    batch = planning.batch(ann_browser.user, 1)
    result = ToolResult(file_id="vg_file_1", type="IMAGE")
    planning.finish(planning.jobs(batch)[0], "succeeded", results=(result,))
    exports = Event.objects.filter(kind=ActKind.EXPORTED)
    url = f"/batches/{batch.pk}/results.zip"

    asked = ann_browser.client.head(url)
    assert (asked.status_code, asked["Content-Type"], exports.count()) == (200, "application/zip", 0)

    assert ann_browser.get(url).status_code == 200
    assert exports.count() == 1


def test_anonymous_requests_are_redirected_to_sign_in(client: Any, people: Any) -> None:
    batch = planning.batch(people.ann)
    plan = planning.plan(people.ann)
    paths = [
        *("/batches/", planning.NEW, "/batches/template/generate-image.csv", f"/batches/plans/{plan.pk}/"),
        *(
            f"/batches/{batch.pk}/{rest}"
            for rest in ("", "undo/", "again/", "cancel/", f"cancel/{uuid.uuid4()}/", "results.zip")
        ),
    ]
    for path in paths:
        for answer in (client.get(path), client.post(path)):
            assert answer.status_code == 302, path
            assert answer["Location"].startswith("/sign-in/"), path


def test_unknown_batches_plans_and_cancels_are_not_found(ann_browser: Browser, ben_browser: Browser) -> None:
    mine, theirs = planning.batch(ann_browser.user), planning.batch(ben_browser.user)
    cancel = planning.cancel_request(theirs, actor=ben_browser.user)
    nowhere = uuid.uuid4()

    assert ann_browser.get(f"/batches/{nowhere}/").status_code == 404
    assert ann_browser.get(f"/batches/plans/{nowhere}/").status_code == 404
    assert ann_browser.get(f"/batches/{mine.pk}/cancel/{cancel.pk}/").status_code == 404


# --- queries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/batches/", "/batches/{batch}/", "/batches/plans/{plan}/", "/batches/{batch}/cancel/{cancel}/", "/"],
)
def test_queries_do_not_grow_with_rows(ann_browser: Browser, path: str) -> None:
    def queries(count: int) -> int:
        for _ in range(min(count, 6)):
            batch = planning.batch(ann_browser.user, count)
        for number, job in enumerate(planning.jobs(batch)):
            if number % 2:
                planning.finish(job, "succeeded")
        place = {
            "batch": batch.pk,
            "plan": planning.plan(ann_browser.user, count).pk,
            "cancel": planning.cancel_request(batch, actor=ann_browser.user).pk,
        }
        with CaptureQueriesContext(connection) as captured:
            assert ann_browser.get(path.format(**place)).status_code == 200
        return len(captured)

    queries(2)
    assert queries(2) == queries(12)
