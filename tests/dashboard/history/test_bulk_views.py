"""Bulk actions: the selection is fixed when it is shown, confirmed, carried out once, and reported per job."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from executions.batches import bulk_actions
from executions.core import chunked
from executions.lifecycle import observations, status_machine
from executions.models import Event, Execution, Selection
from executions.models.event import FileKind, Kind
from executions.models.selection import Act
from tests.dashboard.browsers import Browser, text
from tests.factories.jobs import job
from tests.threads import run_together

URL = "/executions/choose/"
pytestmark = pytest.mark.django_db


def selected(browser: Browser, act: str, *jobs: Execution) -> str:
    """The URL of the page that asks for confirmation."""
    answer = browser.post(URL, {"act": act, "job": [str(each.pk) for each in jobs]})
    assert answer.status_code == 303
    return answer["Location"]


def test_a_cancel_request_affects_exactly_the_listed_jobs(ann_browser: Browser) -> None:
    jobs = [job(ann_browser.user, status, f"{status} pier") for status in ("queued", "running", "succeeded")]
    url = selected(ann_browser, "cancel", *jobs)
    page = text(ann_browser.get(url))
    assert "Cancel 2 jobs?" in page
    assert "skipped: already finished" in page
    late = job(ann_browser.user, "queued", "a late pier")
    assert ann_browser.post(url, {"reason": "  the wrong \x00 file "}).status_code == 303
    queued, running, succeeded = (Execution.objects.get(pk=each.pk) for each in jobs)
    assert (queued.status, queued.cancel_reason) == ("cancelled", "the wrong file")
    assert running.cancel_requested_by_id == ann_browser.user.pk
    assert running.cancel_reason == "the wrong file"
    assert succeeded.cancel_requested_at is None
    assert Execution.objects.get(pk=late.pk).status == "queued"
    event = Event.objects.get(execution=running, kind=Kind.CANCEL_REQUESTED)
    assert event.detail == {"reason": "the wrong file"}
    report = text(ann_browser.get(url))
    assert "Cancellation report" in report
    for words in (
        "cancelled before it was sent",
        "cancel requested at VideoGen",
        "already finished: succeeded",
    ):
        assert words in report


def test_cancelling_requires_a_reason(ann_browser: Browser) -> None:
    running = job(ann_browser.user, "running")
    url = selected(ann_browser, "cancel", running)
    for reason in ("", "   ", "\x00"):
        answer = ann_browser.post(url, {"reason": reason})
        assert answer.status_code == 422
        assert "Enter a reason" in text(answer)
    assert Execution.objects.get(pk=running.pk).cancel_requested_at is None
    assert Selection.objects.get().done_at is None


def test_a_repeated_confirmation_does_nothing(ann_browser: Browser) -> None:
    ended = job(ann_browser.user, "failed", "a lost pier")
    url = selected(ann_browser, "again", ended)
    assert ann_browser.post(url).status_code == ann_browser.post(url).status_code == 303
    assert Execution.objects.filter(prompt="a lost pier").count() == 2


def test_a_member_cancels_only_their_own_and_an_admin_any(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    mine, theirs = job(ben_browser.user, "running"), job(ann_browser.user, "running")
    url = selected(ben_browser, "cancel", mine, theirs)
    assert "skipped: not yours" in text(ben_browser.get(url))
    ben_browser.post(url, {"reason": "late"})
    assert Execution.objects.get(pk=mine.pk).cancel_requested_at is not None
    assert Execution.objects.get(pk=theirs.pk).cancel_requested_at is None
    assert "skipped: not yours" in text(ben_browser.get(url))
    ada_browser.post(selected(ada_browser, "cancel", theirs), {"reason": "too dear"})
    assert Execution.objects.get(pk=theirs.pk).cancel_requested_by_id == ada_browser.user.pk


def test_permissions_are_checked_again_on_confirmation(ann_browser: Browser, ada_browser: Browser) -> None:
    """An admin who became a member after selecting the jobs cancels nothing."""
    running = job(ann_browser.user, "running")
    url = selected(ada_browser, "cancel", running)
    ada_browser.user.is_staff = False
    ada_browser.user.save()
    ada_browser.post(url, {"reason": "late"})
    assert Execution.objects.get(pk=running.pk).cancel_requested_at is None


def test_results_are_archived_with_the_reason(ann_browser: Browser) -> None:
    made, failed = job(ann_browser.user, "succeeded", results=2), job(ann_browser.user, "failed")
    url = selected(ann_browser, "archive", made, failed)
    assert "Archive the results of 1 job?" in text(ann_browser.get(url))
    ann_browser.post(url, {"reason": "a client said no"})
    files = [result.file for result in made.results.select_related("file")]
    assert all(file.archived_at for file in files)
    events = Event.objects.filter(kind=FileKind.ARCHIVED)
    assert [event.detail for event in events] == [{"reason": "a client said no"}] * 2
    assert "skipped: nothing to archive" in text(ann_browser.get(url))


def test_run_again_starts_a_job_of_the_users_own_for_each(ann_browser: Browser, ben_browser: Browser) -> None:
    theirs, running = job(ann_browser.user, "failed", "a lost pier"), job(ann_browser.user, "running")
    url = selected(ben_browser, "again", theirs, running)
    assert "skipped: you cannot re-run it" in text(ben_browser.get(url))
    ben_browser.post(url)
    [fresh] = Execution.objects.filter(created_by=ben_browser.user)
    assert (fresh.prompt, fresh.request_body, fresh.status) == ("a lost pier", theirs.request_body, "queued")


def test_a_rerun_records_its_source_and_whether_that_may_run_twice(ann_browser: Browser) -> None:
    ended, lost = (
        job(ann_browser.user, "succeeded", "a pier"),
        job(ann_browser.user, "unconfirmed", "a lost pier"),
    )
    url = selected(ann_browser, "again", ended, lost)
    assert "1 of these is unconfirmed and may be running" in text(ann_browser.get(url))
    ann_browser.post(url)
    reruns = {
        event.detail["again"]: event.detail["knowingly"]
        for event in Event.objects.filter(kind=Kind.STARTED, detail__has_key="again")
    }
    assert reruns == {str(ended.pk): False, str(lost.pk): True}


@pytest.mark.parametrize("act", ["cancel", "again", "archive"])
def test_an_interrupted_action_is_reported_and_can_be_completed(
    act: str, ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Completed jobs keep their outcome, and another attempt completes the rest, each once."""
    monkeypatch.setattr(chunked, "CHUNK_SIZE", 2)
    statuses = {"cancel": "queued", "again": "failed", "archive": "succeeded"}
    jobs = [job(ann_browser.user, statuses[act], f"pier {number}") for number in range(5)]
    url = selected(ann_browser, act, *jobs)
    real, done = bulk_actions.ACTS[Act(act)], []

    def fails(one: Execution, *more: Any) -> str:
        if len(done) == 3:
            raise OperationalError("the database is away")
        done.append(one)
        return real(one, *more)

    monkeypatch.setitem(bulk_actions.ACTS, Act(act), fails)
    with pytest.raises(OperationalError):
        ann_browser.post(url, {"reason": "the wrong file"})
    assert "In progress: 3 of 5 remaining." in text(ann_browser.get(url)), (
        "the interruption is not noticed yet"
    )
    Selection.objects.update(done_at=timezone.now() - chunked.STALL_TIMEOUT)
    page = text(ann_browser.get(url))
    assert "Interrupted: 3 of 5 remaining." in page
    assert page.count("not done yet") == 3
    monkeypatch.setitem(bulk_actions.ACTS, Act(act), real)
    for _ in range(2):
        assert ann_browser.post(url).status_code == 303
    selection = Selection.objects.get()
    assert selection.reason == "the wrong file"
    assert set(selection.report) == {str(each.pk) for each in jobs}
    assert "Interrupted" not in text(ann_browser.get(url))
    if act == "again":
        assert Execution.objects.count() == 10
    else:
        words = {"cancel": bulk_actions.CANCELLED, "archive": bulk_actions.ARCHIVED}
        assert set(selection.report.values()) == {words[act]}


@pytest.mark.django_db(transaction=True)
def test_two_concurrent_resumptions_take_turns(ann_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK_SIZE", 2)
    jobs = [job(ann_browser.user, "failed", f"pier {number}") for number in range(9)]
    selected(ann_browser, "again", *jobs)
    selection = Selection.objects.get()

    run_together([lambda: bulk_actions.run(selection, actor=ann_browser.user)] * 2)

    assert Execution.objects.count() == 18
    assert set(Selection.objects.get().report) == {str(each.pk) for each in jobs}


def test_only_the_person_who_selected_the_jobs_sees_the_selection(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    url = selected(ann_browser, "cancel", job(ann_browser.user, "running"))
    for other in (ben_browser, ada_browser):
        assert other.get(url).status_code == other.post(url, {"reason": "x"}).status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"act": "cancel"},
        {"act": "explode", "job": [str(uuid.uuid4())]},
        {"act": "cancel", "job": ["x", "\x00", "9" * 5000]},
        {"act": "cancel", "job": [str(uuid.uuid4())]},
    ],
)
def test_an_empty_selection_redirects_back(form: dict[str, Any], ann_browser: Browser) -> None:
    answer = ann_browser.post(URL, {**form, "query": "status=failed"})
    assert (answer.status_code, answer["Location"]) == (303, "/executions/?status=failed")
    assert not Selection.objects.exists()


def test_a_selection_is_limited(ann_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "MAX_SELECTED", 3)
    selected(ann_browser, "cancel", *(job(ann_browser.user, "running") for _ in range(5)))
    assert len(Selection.objects.get().ids) == 3


# --- the outcome of a cancel request ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requested", "ended", "words"),
    [
        (10.0, 8.8, "too late by 1.2 s, the result is available"),
        (8.8, 10.0, "too late: the job finished 1.2 s after the request, the result is available"),
    ],
)
def test_a_late_cancel_request_says_by_how_much(
    requested: float, ended: float, words: str, ann_browser: Browser
) -> None:
    from datetime import timedelta

    running = job(ann_browser.user, "running", "a slow pier")
    began = running.created_at - timedelta(minutes=1)
    status_machine.apply(
        running.pk,
        observations.CancelRequested(
            actor_id=ann_browser.user.pk, at=began + timedelta(seconds=requested), reason="wrong file"
        ),
    )
    status_machine.apply(
        running.pk,
        observations.StatusReported(
            source=observations.Source.WEBHOOK,
            status="succeeded",
            at=began + timedelta(seconds=ended),
            answer={},
        ),
    )
    for url in ("/executions/", "/executions/?view=gallery", f"/executions/{running.pk}/"):
        page = text(ann_browser.get(url))
        assert words in page, url
        assert "requested by ann" in page
        assert "wrong file" in page


def test_a_successful_cancel_request_is_reported(ann_browser: Browser) -> None:
    running = job(ann_browser.user, "running")
    ann_browser.post(f"/executions/{running.pk}/cancel/", {"reason": "twice the same"})
    assert "waiting for VideoGen" in text(ann_browser.get("/executions/"))
    status_machine.apply(
        running.pk,
        observations.StatusReported(source=observations.Source.POLL, status="cancelled", answer={}),
    )
    page = text(ann_browser.get(f"/executions/{running.pk}/"))
    assert "stopped after" in page
    assert "twice the same" in page
