"""The history and a job's page: paging, filters, raw responses, cancel, and run again."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from dashboard.history import page as history_page
from executions.core import runtime
from executions.models import Event, Execution
from executions.sync import submit
from tests import markup
from tests.dashboard.browsers import HTMX, Browser, text
from tests.factories.jobs import advance, job
from tests.markup import content, every, one, plain_text, values

URL = "/executions/"


def prompts(page: str) -> list[str]:
    """The prompts of the rows, from the top."""
    return [content(node) for node in every(page, 'a[id^="see-"][href^="/executions/"]')]


def link(page: str, rel: str) -> str:
    """Where "Newer" (prev) or "Older" (next) leads; empty when there is no such button."""
    return markup.link(page, f'a[rel="{rel}"]')


def page_of(browser: Browser, url: str = URL, **query: Any) -> str:
    answer = browser.get(url, query or None)
    assert answer.status_code == 200
    return answer.content.decode()


# --- the history ------------------------------------------------------------------------------------------


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_page, "PAGE_SIZE", 5)


@pytest.mark.usefixtures("_small_pages")
def test_paging_back_and_forth_shows_every_job_once_in_order(ann_browser: Browser) -> None:
    for number in range(13):
        job(ann_browser.user, prompt=f"pier {number}")
    first = page_of(ann_browser)
    second = page_of(ann_browser, link(first, "next"))
    third = page_of(ann_browser, link(second, "next"))
    assert prompts(first) + prompts(second) + prompts(third) == [f"pier {n}" for n in range(12, -1, -1)]
    assert (link(first, "prev"), link(third, "next")) == ("", "")
    back = page_of(ann_browser, link(third, "prev"))
    assert prompts(back) == prompts(second)
    assert prompts(page_of(ann_browser, link(back, "prev"))) == prompts(first)


@pytest.mark.usefixtures("_small_pages")
def test_new_jobs_do_not_shift_pages(ann_browser: Browser) -> None:
    for number in range(10):
        job(ann_browser.user, prompt=f"pier {number}")
    first = page_of(ann_browser)
    for number in range(3):
        job(ann_browser.user, prompt=f"new pier {number}")
    assert prompts(page_of(ann_browser, link(first, "next"))) == [f"pier {n}" for n in range(4, -1, -1)]


@pytest.mark.usefixtures("_small_pages")
def test_paging_keeps_the_filters(ann_browser: Browser) -> None:
    for number in range(7):
        job(ann_browser.user, "succeeded", f"pier {number}")
        job(ann_browser.user, "failed", f"lost pier {number}")
    first = page_of(ann_browser, status="succeeded")
    assert "status=succeeded" in link(first, "next")
    older = page_of(ann_browser, link(first, "next"))
    assert prompts(first) + prompts(older) == [f"pier {n}" for n in range(6, -1, -1)]


def test_filters_by_status_and_by_tool(ann_browser: Browser, ben_browser: Browser) -> None:
    job(ann_browser.user, "succeeded", "a pier")
    job(ben_browser.user, "failed", "a lost pier")
    job(ben_browser.user, "succeeded", "a horn", tool="generate-sound-effect")
    assert prompts(page_of(ann_browser)) == ["a horn", "a lost pier", "a pier"]
    assert prompts(page_of(ann_browser, status="succeeded")) == ["a horn", "a pier"]
    assert prompts(page_of(ann_browser, tool="generate-sound-effect")) == ["a horn"]
    assert prompts(page_of(ann_browser, tool="generate-image", status="failed")) == ["a lost pier"]
    chosen = page_of(ann_browser, tool="generate-image", status="failed")
    assert values(chosen, "status", checked=True) == ["failed"]
    assert values(chosen, "tool", checked=True) == ["generate-image"]


@pytest.mark.parametrize(
    "query",
    [{"status": "hibernating"}, {"status": "\x00"}, {"status": "' OR 1=1 --"}, {"status": "a" * 5000}],
)
def test_an_unknown_status_filter_finds_nothing(query: dict[str, str], ann_browser: Browser) -> None:
    job(ann_browser.user)
    page = page_of(ann_browser, **query)
    assert prompts(page) == []
    assert "No matches." in page


@pytest.mark.parametrize("query", [{"after": "x"}, {"before": "x"}, {"tool": "make-coffee"}, {"offset": "9"}])
def test_invalid_parameters_are_ignored(query: dict[str, str], ann_browser: Browser) -> None:
    job(ann_browser.user, prompt="a pier")
    assert prompts(page_of(ann_browser, **query)) == ["a pier"]


def test_an_unknown_status_is_shown_unchanged(ann_browser: Browser) -> None:
    job(ann_browser.user, "deep_hibernation", "a pier")
    page = page_of(ann_browser)
    assert prompts(page) == ["a pier"]
    assert "deep hibernation" in text(ann_browser.get(URL))
    assert prompts(page_of(ann_browser, status="deep_hibernation")) == ["a pier"]


def test_only_the_first_page_of_the_newest_receives_new_jobs(ann_browser: Browser) -> None:
    assert "/ws/live/?topic=history" in page_of(ann_browser)
    assert "/ws/live/?topic=history" in page_of(ann_browser, status="failed")
    assert "/ws/live/?topic=gallery" in page_of(ann_browser, view="gallery")
    assert "/ws/live/?topic=rows" in page_of(ann_browser, sort="oldest")
    assert "/ws/live/?topic=rows" in page_of(ann_browser, after=uuid.uuid4())


def test_an_empty_history_says_what_to_do(ann_browser: Browser) -> None:
    assert "No jobs yet." in page_of(ann_browser)


# --- one job ----------------------------------------------------------------------------------------------


def test_a_job_page_shows_the_request_and_the_responses(ann_browser: Browser, ben_browser: Browser) -> None:
    execution = job(ben_browser.user, "succeeded", "a pier <in> the rain")
    page = ann_browser.get(f"{URL}{execution.pk}/").content.decode()
    assert "a pier &lt;in&gt; the rain" in page
    assert f'"toolExecutionId": "{execution.remote_id}"'.replace('"', "&quot;") in page
    assert "&quot;reported&quot;: &quot;by VideoGen&quot;" in page
    [raw] = [each for each in every(page, "details") if "Request as sent" in plain_text(each, "summary")]
    assert json.loads(content(one(raw, "pre"))) == execution.request_body
    assert "ben" in page
    assert f"/ws/live/?topic=job:{execution.pk}" in page
    page = text(ann_browser.get(f"{URL}{execution.pk}/"))
    assert "started by ben" in page
    assert f"accepted by VideoGen as {execution.remote_id}" in page
    assert "succeeded, 1 result" in page


def test_a_failed_job_shows_the_error_and_advice(ann_browser: Browser) -> None:
    error = {
        "message": "Not on this plan.",
        "requirement": {"type": "upgrade_plan", "details": {"plan": "PRO"}},
    }
    execution = job(ann_browser.user, "failed", error=error)
    page = text(ann_browser.get(f"{URL}{execution.pk}/"))
    assert "Not on this plan." in page
    assert "This needs another plan: PRO." in page


@pytest.mark.parametrize("pk", [uuid.uuid4(), "not-an-id", "../admin"])
def test_an_unknown_job_is_not_found(pk: Any, ann_browser: Browser) -> None:
    assert ann_browser.get(f"{URL}{pk}/").status_code == 404
    assert ann_browser.post(f"{URL}{pk}/cancel/").status_code == 404
    assert ann_browser.post(f"{URL}{pk}/again/").status_code == 404


# --- cancel -----------------------------------------------------------------------------------------------


async def test_a_cancelled_queued_job_never_reaches_videogen(account: Any, ann_browser: Browser) -> None:
    prompt = f"a pier {uuid.uuid4().hex}"
    execution = await runtime.in_db(job, ann_browser.user, "queued", prompt)
    answer = await ann_browser.apost(f"{URL}{execution.pk}/cancel/")
    assert (answer.status_code, answer["Location"]) == (303, f"{URL}{execution.pk}/")
    await submit.send(execution.pk)
    await submit.send_claimed(execution.pk)
    execution = await runtime.in_db(Execution.objects.get, pk=execution.pk)
    assert (execution.status, execution.sent_at) == ("cancelled", None)
    truth = account.control("GET", "truth")["executions"]
    assert all(each["request"].get("prompt") != prompt for each in truth)
    assert "cancelled by ann before it was sent" in text(
        await ann_browser.aget(f"{URL}{execution.pk}/")
    ).replace("by you", "by ann")


async def test_a_running_job_is_cancelled_at_videogen(account: Any, ann_browser: Browser) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "job", "seconds": 600}]})
    execution = await runtime.in_db(job, ann_browser.user, "queued", "a long pier")
    await submit.send(execution.pk)
    answer = await ann_browser.apost(f"{URL}{execution.pk}/cancel/", headers=HTMX)
    assert answer.status_code == 200
    assert "cancelling" in text(answer)

    def is_cancelled_there() -> bool:
        truth = account.control("GET", "truth")["executions"]
        now = Execution.objects.get(pk=execution.pk)
        return any(
            each["toolExecutionId"] == now.remote_id and each["cancelRequestedAt"] is not None
            for each in truth
        )

    for _ in range(200):
        if await runtime.in_db(is_cancelled_there):
            break
    else:
        pytest.fail("VideoGen never received a cancel request")


def test_a_cancel_with_htmx_returns_the_changed_fragments(ann_browser: Browser) -> None:
    execution = job(ann_browser.user)
    page = ann_browser.post(f"{URL}{execution.pk}/cancel/", headers=HTMX).content.decode()
    assert "<html" not in page
    assert every(page, f'[hx-swap-oob="delete:#job-{execution.pk}"]')
    assert every(page, f"#head-{execution.pk}")
    assert "Cancelled before it finished." in page


def test_who_can_cancel_a_job(ann_browser: Browser, ben_browser: Browser, ada_browser: Browser) -> None:
    execution = job(ann_browser.user, "running")
    assert ben_browser.post(f"{URL}{execution.pk}/cancel/").status_code == 403
    execution.refresh_from_db()
    assert execution.cancel_requested_at is None
    assert ada_browser.post(f"{URL}{execution.pk}/cancel/").status_code == 303
    execution.refresh_from_db()
    assert execution.cancel_requested_by_id == ada_browser.user.pk
    event = Event.objects.get(execution=execution, kind="cancel requested")
    assert event.actor_id == ada_browser.user.pk


def test_two_cancels_are_one_request(ann_browser: Browser, ada_browser: Browser) -> None:
    execution = job(ann_browser.user, "running")
    assert {
        each.post(f"{URL}{execution.pk}/cancel/").status_code
        for each in (ann_browser, ada_browser, ann_browser)
    } == {303}
    assert Event.objects.filter(execution=execution, kind="cancel requested").count() == 1


def test_a_cancel_of_a_finished_job_changes_nothing(ann_browser: Browser) -> None:
    execution = job(ann_browser.user, "succeeded")
    assert ann_browser.post(f"{URL}{execution.pk}/cancel/").status_code == 303
    execution.refresh_from_db()
    assert (execution.status, execution.cancel_requested_at) == ("succeeded", None)


def test_a_cancel_that_came_too_late_is_reported(ann_browser: Browser) -> None:
    execution = job(ann_browser.user, "running")
    ann_browser.post(f"{URL}{execution.pk}/cancel/")
    assert "Cancelling, requested by" in text(ann_browser.get(f"{URL}{execution.pk}/"))
    advance(execution, "succeeded")
    page = text(ann_browser.get(f"{URL}{execution.pk}/"))
    assert "requested by ann" in page
    assert "the result is available" in page


# --- start it again ---------------------------------------------------------------------------------------


def test_an_unconfirmed_job_is_started_again_once(ann_browser: Browser) -> None:
    lost = job(ann_browser.user, "unconfirmed", "a lost pier")
    page = text(ann_browser.get(f"{URL}{lost.pk}/"))
    assert "This starts a second job, which may be billed as well." in page
    first = ann_browser.post(f"{URL}{lost.pk}/again/")
    second = ann_browser.post(f"{URL}{lost.pk}/again/", headers=HTMX)
    fresh = Execution.objects.exclude(pk=lost.pk).get()
    assert (first.status_code, first["Location"]) == (303, f"{URL}{fresh.pk}/")
    assert second["HX-Redirect"] == f"{URL}{fresh.pk}/"
    assert (fresh.request_body, fresh.prompt) == (lost.request_body, lost.prompt)


def test_who_can_start_an_unconfirmed_job_again(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    lost = job(ann_browser.user, "unconfirmed")
    assert ben_browser.post(f"{URL}{lost.pk}/again/").status_code == 403
    assert ada_browser.post(f"{URL}{lost.pk}/again/").status_code == 303


@pytest.mark.parametrize("status", ["queued", "running", "deep_hibernation"])
def test_an_unfinished_job_cannot_be_run_again(status: str, ann_browser: Browser) -> None:
    execution = job(ann_browser.user, status)
    assert ann_browser.post(f"{URL}{execution.pk}/again/").status_code == 403
    assert Execution.objects.count() == 1


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_anyone_can_run_a_finished_job_again(status: str, ann_browser: Browser, ben_browser: Browser) -> None:
    ended = job(ann_browser.user, status, "a pier at noon")
    assert ben_browser.post(f"{URL}{ended.pk}/again/").status_code == 303
    fresh = Execution.objects.exclude(pk=ended.pk).get()
    assert (fresh.created_by_id, fresh.prompt) == (ben_browser.user.pk, "a pier at noon")


def test_actions_require_post(ann_browser: Browser) -> None:
    execution = job(ann_browser.user, "unconfirmed")
    for act in ("cancel", "again"):
        assert ann_browser.get(f"{URL}{execution.pk}/{act}/").status_code == 405
    assert ann_browser.post(f"{URL}{execution.pk}/").status_code == 405
    assert ann_browser.post(URL).status_code == 405
