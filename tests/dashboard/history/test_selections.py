"""Many jobs at once: frozen when they are shown, confirmed with a reason where something is lost, done once, told one by one."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from executions.batches import bulk_actions
from executions.core import chunked
from executions.lifecycle import machine as lifecycle
from executions.lifecycle import observations
from executions.models import Event, Execution, Selection
from executions.models.event import FileKind, Kind
from executions.models.selection import Act
from tests.dashboard.browsers import Browser, text
from tests.factories.jobs import job
from tests.waiting import DEADLINE

URL = "/executions/choose/"
pytestmark = pytest.mark.django_db


def chosen(browser: Browser, act: str, *jobs: Execution) -> str:
    """The address of the page that asks once more."""
    answer = browser.post(URL, {"act": act, "job": [str(each.pk) for each in jobs]})
    assert answer.status_code == 303
    return answer["Location"]


def test_a_cancel_hits_what_was_shown_and_no_more(ann_browser: Browser) -> None:
    jobs = [job(ann_browser.user, status, f"{status} pier") for status in ("queued", "running", "succeeded")]
    url = chosen(ann_browser, "cancel", *jobs)
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
    told = text(ann_browser.get(url))
    assert "Cancellation report" in told
    for words in (
        "cancelled before it was sent",
        "cancel requested at VideoGen",
        "already finished: succeeded",
    ):
        assert words in told


def test_without_a_reason_nothing_is_cancelled(ann_browser: Browser) -> None:
    running = job(ann_browser.user, "running")
    url = chosen(ann_browser, "cancel", running)
    for reason in ("", "   ", "\x00"):
        answer = ann_browser.post(url, {"reason": reason})
        assert answer.status_code == 422
        assert "Enter a reason" in text(answer)
    assert Execution.objects.get(pk=running.pk).cancel_requested_at is None
    assert Selection.objects.get().done_at is None


def test_done_twice_it_is_done_once(ann_browser: Browser) -> None:
    ended = job(ann_browser.user, "failed", "a lost pier")
    url = chosen(ann_browser, "again", ended)
    assert ann_browser.post(url).status_code == ann_browser.post(url).status_code == 303
    assert Execution.objects.filter(prompt="a lost pier").count() == 2


def test_a_member_cancels_only_their_own_and_an_admin_any(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    mine, theirs = job(ben_browser.user, "running"), job(ann_browser.user, "running")
    url = chosen(ben_browser, "cancel", mine, theirs)
    assert "skipped: not yours" in text(ben_browser.get(url))
    ben_browser.post(url, {"reason": "late"})
    assert Execution.objects.get(pk=mine.pk).cancel_requested_at is not None
    assert Execution.objects.get(pk=theirs.pk).cancel_requested_at is None
    assert "skipped: not yours" in text(ben_browser.get(url))
    ada_browser.post(chosen(ada_browser, "cancel", theirs), {"reason": "too dear"})
    assert Execution.objects.get(pk=theirs.pk).cancel_requested_by_id == ada_browser.user.pk


def test_who_lost_the_right_meanwhile_cancels_nothing(ann_browser: Browser, ada_browser: Browser) -> None:
    """What may be done is asked again when it is done."""
    running = job(ann_browser.user, "running")
    url = chosen(ada_browser, "cancel", running)
    ada_browser.user.is_staff = False
    ada_browser.user.save()
    ada_browser.post(url, {"reason": "late"})
    assert Execution.objects.get(pk=running.pk).cancel_requested_at is None


def test_results_are_archived_with_the_reason(ann_browser: Browser) -> None:
    made, failed = job(ann_browser.user, "succeeded", results=2), job(ann_browser.user, "failed")
    url = chosen(ann_browser, "archive", made, failed)
    assert "Archive the results of 1 job?" in text(ann_browser.get(url))
    ann_browser.post(url, {"reason": "a client said no"})
    files = [result.file for result in made.results.select_related("file")]
    assert all(file.archived_at for file in files)
    events = Event.objects.filter(kind=FileKind.ARCHIVED)
    assert [event.detail for event in events] == [{"reason": "a client said no"}] * 2
    assert "skipped: nothing to archive" in text(ann_browser.get(url))


def test_run_again_starts_a_job_of_ones_own_for_each(ann_browser: Browser, ben_browser: Browser) -> None:
    theirs, running = job(ann_browser.user, "failed", "a lost pier"), job(ann_browser.user, "running")
    url = chosen(ben_browser, "again", theirs, running)
    assert "skipped: you cannot re-run it" in text(ben_browser.get(url))
    ben_browser.post(url)
    [fresh] = Execution.objects.filter(created_by=ben_browser.user)
    assert (fresh.prompt, fresh.request_body, fresh.status) == ("a lost pier", theirs.request_body, "queued")


def test_what_is_run_again_says_of_which_job_and_whether_that_may_run_twice(ann_browser: Browser) -> None:
    ended, lost = (
        job(ann_browser.user, "succeeded", "a pier"),
        job(ann_browser.user, "unconfirmed", "a lost pier"),
    )
    url = chosen(ann_browser, "again", ended, lost)
    assert "1 of these is unconfirmed and may be running" in text(ann_browser.get(url))
    ann_browser.post(url)
    told = {
        event.detail["again"]: event.detail["knowingly"]
        for event in Event.objects.filter(kind=Kind.STARTED, detail__has_key="again")
    }
    assert told == {str(ended.pk): False, str(lost.pk): True}


@pytest.mark.parametrize("act", ["cancel", "again", "archive"])
def test_what_broke_off_is_told_and_can_be_finished(
    act: str, ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done stays done and told, and what is left is done by another try: each once."""
    monkeypatch.setattr(chunked, "CHUNK_SIZE", 2)
    statuses = {"cancel": "queued", "again": "failed", "archive": "succeeded"}
    jobs = [job(ann_browser.user, statuses[act], f"pier {number}") for number in range(5)]
    url = chosen(ann_browser, act, *jobs)
    real, done = bulk_actions.ACTS[Act(act)], []

    def breaks(one: Execution, *more: Any) -> str:
        if len(done) == 3:
            raise OperationalError("the database is away")
        done.append(one)
        return real(one, *more)

    monkeypatch.setitem(bulk_actions.ACTS, Act(act), breaks)
    with pytest.raises(OperationalError):
        ann_browser.post(url, {"reason": "the wrong file"})
    assert "In progress: 3 of 5 remaining." in text(ann_browser.get(url)), "the interruption is not known yet"
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
        words = {"cancel": bulk_actions.STOPPED, "archive": bulk_actions.ARCHIVED}
        assert set(selection.report.values()) == {words[act]}


@pytest.mark.django_db(transaction=True)
def test_two_who_go_on_at_once_take_turns(ann_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK_SIZE", 2)
    jobs = [job(ann_browser.user, "failed", f"pier {number}") for number in range(9)]
    chosen(ann_browser, "again", *jobs)
    selection = Selection.objects.get()
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        bulk_actions.carry_out(selection, actor=ann_browser.user)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert Execution.objects.count() == 18
    assert set(Selection.objects.get().report) == {str(each.pk) for each in jobs}


def test_only_whoever_chose_sees_it(ann_browser: Browser, ben_browser: Browser, ada_browser: Browser) -> None:
    url = chosen(ann_browser, "cancel", job(ann_browser.user, "running"))
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
def test_what_names_no_job_leads_back(form: dict[str, Any], ann_browser: Browser) -> None:
    answer = ann_browser.post(URL, {**form, "query": "status=failed"})
    assert (answer.status_code, answer["Location"]) == (303, "/executions/?status=failed")
    assert not Selection.objects.exists()


def test_so_many_and_no_more(ann_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "MOST", 3)
    chosen(ann_browser, "cancel", *(job(ann_browser.user, "running") for _ in range(5)))
    assert len(Selection.objects.get().ids) == 3


# --- a cancel, told to its end ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "ended", "words"),
    [
        (10.0, 8.8, "too late by 1.2 s, the result is available"),
        (8.8, 10.0, "too late: the job finished 1.2 s after the request, the result is available"),
    ],
)
def test_a_cancel_that_came_too_late_says_by_how_much(
    asked: float, ended: float, words: str, ann_browser: Browser
) -> None:
    from datetime import timedelta

    running = job(ann_browser.user, "running", "a slow pier")
    began = running.created_at - timedelta(minutes=1)
    lifecycle.apply(
        running.pk,
        observations.CancelRequested(
            actor_id=ann_browser.user.pk, at=began + timedelta(seconds=asked), reason="wrong file"
        ),
    )
    lifecycle.apply(
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


def test_a_cancel_that_worked_says_so(ann_browser: Browser) -> None:
    running = job(ann_browser.user, "running")
    ann_browser.post(f"/executions/{running.pk}/cancel/", {"reason": "twice the same"})
    assert "waiting for VideoGen" in text(ann_browser.get("/executions/"))
    lifecycle.apply(
        running.pk,
        observations.StatusReported(source=observations.Source.POLL, status="cancelled", answer={}),
    )
    page = text(ann_browser.get(f"/executions/{running.pk}/"))
    assert "stopped after" in page
    assert "twice the same" in page
