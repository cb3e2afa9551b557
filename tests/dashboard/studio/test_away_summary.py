"""Since you left: jobs that finished while a person was away, by batch and cause, until dismissed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import Batch, BatchPlan, Event, Execution, LastVisit
from executions.models.event import Kind
from executions.team import last_visit
from tests.dashboard.browsers import Browser
from tests.factories.jobs import job
from tests.markup import attribute, every, links, plain_text, values

pytestmark = pytest.mark.django_db
REFUSED = {"message": "The prompt was refused by moderation.", "code": "moderation_refused"}


def left(browser: Browser, ago: timedelta = timedelta(hours=1)) -> None:
    """The person's last visit was this long ago."""
    at = timezone.now() - ago
    LastVisit.objects.update_or_create(pk=browser.user.pk, defaults={"seen_until": at, "summary_since": at})


def studio(browser: Browser) -> str:
    return browser.get("/").content.decode()


def panel(page: str) -> str:
    return "".join(node.html or "" for node in every(page, "#since"))


def shown_until(browser: Browser) -> str:
    """The time up to which the panel reports."""
    return attribute(every(studio(browser), "[data-until]")[0], "data-until")


def test_a_first_visit_has_no_summary(ann_browser: Browser) -> None:
    job(ann_browser.user, "failed")
    assert panel(studio(ann_browser)) == ""
    job(ann_browser.user, "failed")
    assert "failed" in panel(studio(ann_browser)), "jobs that finish later are reported"


def test_finished_jobs_are_grouped_by_batch_and_cause(ann_browser: Browser, ben_browser: Browser) -> None:
    left(ann_browser)
    for _ in range(3):
        job(ann_browser.user, "failed", error=REFUSED)
    job(
        ann_browser.user,
        "failed",
        tool="text-to-speech",
        error={"message": "x", "code": "insufficient_credits"},
    )
    job(ann_browser.user, "succeeded")
    job(ben_browser.user, "failed", error={"message": "That of ben."})
    summary = panel(studio(ann_browser))
    assert "3 failed" in summary
    assert "Run these again" in summary
    assert len(every(summary, ".away-summary-cause")) == 2
    assert "The account has no credits left." in summary, "with advice"
    assert "1 succeeded" in summary
    assert "That of ben." not in summary


@pytest.mark.parametrize("error", [REFUSED, {"message": "It went wrong."}])
def test_the_link_of_a_cause_lists_its_jobs(
    error: dict[str, str], ann_browser: Browser, ben_browser: Browser
) -> None:
    left(ann_browser)
    for number in range(2):
        job(ann_browser.user, "failed", f"mine {number}", error=error)
    job(ben_browser.user, "failed", "that of ben", error=error)
    job(ann_browser.user, "failed", "another cause", error={"message": "x", "code": "timed_out"})
    [url] = [
        url for url in links(panel(studio(ann_browser)), 'a[href^="/executions/?"]') if "timed_out" not in url
    ]
    page = ann_browser.get(url).content.decode()
    assert "mine 0" in page
    assert "mine 1" in page
    assert "that of ben" not in page
    assert "another cause" not in page


def test_a_batch_is_one_line(ann_browser: Browser) -> None:
    left(ann_browser)
    batch = Batch.objects.create(
        name="Harbour, 4 pictures", tool="generate-image", created_by=ann_browser.user, size=4
    )
    for status in ("succeeded", "succeeded", "succeeded", "cancelled before"):
        Execution.objects.filter(pk=job(ann_browser.user, status).pk).update(batch=batch)
    summary = panel(studio(ann_browser))
    assert summary.count("Harbour, 4 pictures") == 1
    assert "3 succeeded, 1 cancelled" in summary
    assert "3 succeeded" not in [plain_text(node) for node in every(summary, "strong")]


def test_the_summary_stays_until_dismissed_and_can_be_read_again(ann_browser: Browser) -> None:
    left(ann_browser)
    job(ann_browser.user, "failed", error=REFUSED)
    assert panel(studio(ann_browser))
    assert panel(studio(ann_browser)), "opening the page does not dismiss it"
    until = shown_until(ann_browser)
    job(ann_browser.user, "succeeded")
    assert ann_browser.post("/since/seen/", {"until": until, "quiet": "1"}).status_code == 204
    summary = panel(studio(ann_browser))
    assert "1 succeeded" in summary, "jobs that finished after the page was rendered are not dismissed"
    assert "failed" not in summary
    again = ann_browser.get("/since/").content.decode()
    assert "refused by moderation" in again


def test_leaving_the_studio_dismisses_what_finished_there(ann_browser: Browser) -> None:
    left(ann_browser)
    job(ann_browser.user, "succeeded")
    before = LastVisit.objects.get(pk=ann_browser.user.pk).summary_since
    assert ann_browser.post("/since/seen/", {"quiet": "1"}).status_code == 204
    assert panel(studio(ann_browser)) == ""
    assert LastVisit.objects.get(pk=ann_browser.user.pk).summary_since == before, (
        "the page of the summary keeps its start"
    )


def test_a_visit_never_moves_back_or_into_the_future(ann_browser: Browser) -> None:
    left(ann_browser)
    last_visit.mark_seen(ann_browser.user, timezone.now() + timedelta(days=9))
    now = LastVisit.objects.get(pk=ann_browser.user.pk).seen_until
    assert now <= timezone.now()
    assert not last_visit.mark_seen(ann_browser.user, now - timedelta(days=1))
    assert LastVisit.objects.get(pk=ann_browser.user.pk).seen_until == now


@pytest.mark.parametrize("until", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "9" * 50, "\x00"])
def test_an_invalid_time_is_rejected(until: str, ann_browser: Browser) -> None:
    left(ann_browser)
    assert ann_browser.post("/since/seen/", {"until": until}).status_code == 400


def test_only_the_named_jobs_are_run_again_after_confirmation(
    ann_browser: Browser, ben_browser: Browser
) -> None:
    left(ann_browser)
    failed = [job(ann_browser.user, "failed", f"pier {number}", error=REFUSED) for number in range(3)]
    summary = panel(studio(ann_browser))
    ids = values(summary, "job")
    assert set(ids) == {str(each.pk) for each in failed}
    job(ann_browser.user, "failed", "one more", error=REFUSED)  # after the page was rendered
    theirs, succeeded = job(ben_browser.user, "failed"), job(ann_browser.user, "succeeded")
    named = [*ids, str(theirs.pk), str(succeeded.pk), "no id", ids[0]]
    answer = ann_browser.post("/since/again/", {"job": named})
    plan = BatchPlan.objects.get()
    assert answer["Location"] == f"/batches/plans/{plan.pk}/"
    assert [row["body"]["prompt"] for row in plan.rows] == ["pier 0", "pier 1", "pier 2"]
    jobs = Execution.objects.count()
    for _ in range(2):
        assert ann_browser.post(f"/batches/plans/{plan.pk}/", {"only": "all"}).status_code == 303
    assert Execution.objects.count() == jobs + 3, "confirming twice starts them once"
    retried = Event.objects.filter(kind=Kind.STARTED, detail__has_key="again").order_by("id")
    assert [event.detail["again"] for event in retried] == [str(each.pk) for each in failed]


def test_jobs_of_several_tools_are_not_run_again_together(ann_browser: Browser) -> None:
    ids = [
        str(job(ann_browser.user, "failed", tool=tool).pk) for tool in ("generate-image", "text-to-speech")
    ]
    assert ann_browser.post("/since/again/", {"job": ids})["Location"] == "/since/"
    assert not BatchPlan.objects.exists()


def test_queries_do_not_grow_with_jobs(ann_browser: Browser) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            studio(ann_browser)
        return len(captured)

    left(ann_browser)
    for status in ("failed", "succeeded"):
        job(ann_browser.user, status)
    studio(ann_browser)
    few = queries()
    for number in range(12):
        job(
            ann_browser.user,
            ("failed", "succeeded")[number % 2],
            error={"message": f"cause {number}"} if not number % 2 else None,
        )
    assert queries() == few


def test_a_long_summary_is_limited_to_the_latest_jobs(ann_browser: Browser, monkeypatch: Any) -> None:
    monkeypatch.setattr(last_visit, "MAX_ROWS", 3)
    left(ann_browser)
    for number in range(5):
        job(ann_browser.user, "failed", f"pier {number}")
    summary = panel(studio(ann_browser))
    assert "the latest" in summary
    assert "Run these again" in summary


def test_times_have_a_time_zone(ann_browser: Browser) -> None:
    left(ann_browser)
    job(ann_browser.user, "failed")
    until = shown_until(ann_browser)
    assert datetime.fromisoformat(until).tzinfo is not None
