"""The Copies page, and copy requests for many files: exactly the selected ones, with the outcome of each."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.library.views.copies import MAX_FILES
from executions.batches.service import MAX_ROWS
from executions.copies import requests as copy_requests
from executions.models import CopyRequest, Event
from executions.team import settings as team_settings
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file
from tests.markup import every, plain_text


def test_copies_are_counted_and_failures_listed(ann_browser: Browser, ada_browser: Browser) -> None:
    file(
        copied_at=timezone.now(),
        copy_bytes=2048,
        copy_path="aa/x.png",
        copy_type="image/png",
        origin="result",
    )
    lost = file(display_name="The lost one", origin="result")
    copy_requests.request_copy(lost, ann_browser.user)
    [mine] = copy_requests.claim_due(1)
    copy_requests.record_failure(
        mine, "VideoGen no longer has this file. There is nothing to copy.", permanent=True
    )
    page = text(ann_browser.get("/files/copies/"))
    assert "2.0" in page
    assert "KB" in page
    assert "failed VideoGen no longer has this file." in page
    assert "The lost one" in page
    assert "An admin can change this." in page
    assert "Copy every file" in text(ada_browser.get("/files/copies/"))


def test_an_admin_turns_on_copying_every_file_and_it_is_audited(
    ann_browser: Browser, ada_browser: Browser
) -> None:
    assert ann_browser.post("/files/copies/choose/", {"all": "on"}).status_code == 403
    assert ada_browser.post("/files/copies/choose/", {"all": "on"}).status_code == 303
    assert team_settings.get_uncached(team_settings.COPY_ALL) is True
    event = Event.objects.get(kind="setting changed")
    assert (event.actor_id, event.detail["after"]) == (ada_browser.user.pk, True)
    made = file(origin="result")
    CopyRequest.objects.create(file=made, due_at=None, problem="no answer", tries=9)
    ada_browser.post("/files/copies/choose/", {"again": "1"})
    assert team_settings.get_uncached(team_settings.COPY_ALL) is True, "a retry does not change the setting"
    again = CopyRequest.objects.get()
    assert (again.tries, again.problem) == (0, "")
    assert again.due_at is not None


def test_a_copy_that_finishes_while_its_page_renders_is_shown(ann_browser: Browser) -> None:
    made = file(display_name="A pier", origin="result")
    copy_requests.request_copy(made, ann_browser.user)
    [mine] = copy_requests.claim_due(1)
    finished = []

    def finish_meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        answer = execute(sql, *rest)
        if not finished and "executions_file" in sql:
            finished.append(sql)
            assert copy_requests.complete(
                mine, copy_requests.StoredCopy("aa/x.png", "0" * 64, 2048, "image/png")
            )
        return answer

    with connection.execute_wrapper(finish_meanwhile):
        page = ann_browser.get(f"/files/{made.pk}/")
    assert finished
    assert "none" not in [plain_text(node) for node in every(page, "p")]
    assert every(page, f'[hx-get="/files/{made.pk}/"]'), "the page refreshes itself"
    assert "0" * 64 in text(ann_browser.get(f"/files/{made.pk}/"))


# --- many files -------------------------------------------------------------------------------------------


def test_selected_files_are_listed_then_copied_and_each_is_reported(ann_browser: Browser) -> None:
    wanted = file(display_name="wanted", origin="result")
    copied = file(display_name="copied before", copied_at=timezone.now())
    gone = file(display_name="gone", gone_at=timezone.now())
    file(display_name="not selected", origin="result")
    names = [wanted.remote_id, copied.remote_id, gone.remote_id, "vg_file_unknown", "a\x00b"]
    page = text(ann_browser.get("/files/keep/", {"file": names}))
    assert "1 of these files will be copied." in page
    assert "wanted" in page
    assert "already copied" in page
    assert "VideoGen no longer has it" in page
    assert "not selected" not in page
    assert not CopyRequest.objects.exists(), "reviewing changes nothing"
    page = text(ann_browser.post("/files/keep/", {"file": names}))
    assert "1 file will be copied in the background." in page
    assert [each.file_id for each in CopyRequest.objects.all()] == [wanted.pk]
    assert "already in progress" in text(ann_browser.post("/files/keep/", {"file": names}))
    assert CopyRequest.objects.count() == 1


def test_a_selection_too_long_for_a_url_is_posted_and_reviewed_first(ann_browser: Browser) -> None:
    wanted = file(display_name="wanted", origin="result")
    page = text(ann_browser.post("/files/keep/", {"file": [wanted.remote_id], "review": "yes"}))
    assert "Store copies of these files?" in page
    assert "1 of these files will be copied." in page
    assert not CopyRequest.objects.exists(), "reviewing changes nothing"


def test_files_beyond_the_maximum_are_skipped_and_counted(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [file(display_name=f"number {each}", origin="result").remote_id for each in range(5)]
    monkeypatch.setattr("dashboard.library.views.copies.MAX_FILES", 3)
    page = text(ann_browser.post("/files/keep/", {"file": names, "review": "yes"}))
    assert "3 of these files will be copied." in page
    assert "2 more selected files were skipped: at most 3 at once." in page
    assert "2 more selected files were skipped" in text(ann_browser.post("/files/keep/", {"file": names}))
    assert CopyRequest.objects.count() == 3
    assert "skipped" not in text(ann_browser.post("/files/keep/", {"file": names[:3]}))


def test_as_many_files_can_be_copied_as_selected(ann_browser: Browser) -> None:
    assert every(ann_browser.get("/files/"), f'[data-max="{MAX_FILES}"]')
    assert MAX_FILES == MAX_ROWS, "the same as in a batch"


def test_a_failed_copy_is_restarted_when_requested_again(ann_browser: Browser) -> None:
    made = file(origin="result")
    CopyRequest.objects.create(file=made, due_at=None, problem="no answer", tries=9)
    ann_browser.post("/files/keep/", {"file": [made.remote_id]})
    again = CopyRequest.objects.get()
    assert (again.tries, again.problem) == (0, "")
    assert again.due_at is not None


def test_queries_do_not_grow_with_the_selection(ann_browser: Browser) -> None:
    def queries(count: int) -> int:
        names = [file(origin="result", created_by=ann_browser.user).remote_id for _ in range(count)]
        with CaptureQueriesContext(connection) as captured:
            assert ann_browser.post("/files/keep/", {"file": names}).status_code == 200
        return len(captured)

    queries(2)
    assert queries(3) == queries(60)


@pytest.mark.parametrize("query", [{}, {"file": []}, {"file": ["nothing"]}, {"file": ["\x00"]}])
def test_an_empty_selection_redirects_to_the_library(query: Any, ann_browser: Browser) -> None:
    assert ann_browser.get("/files/keep/", query).status_code == 303
    assert ann_browser.post("/files/keep/", query).status_code == 303
