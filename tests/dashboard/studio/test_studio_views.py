"""The studio: starting jobs with and without JavaScript, and the errors of its form."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from executions.core import runtime
from executions.models import Execution
from tests.dashboard.browsers import HTMX, Browser, text
from tests.factories.files import file
from tests.factories.forms import form
from tests.factories.jobs import job
from tests.markup import attribute, every, links, one, plain_text, value, values

URL = "/tools/generate-image/"


def all_jobs() -> list[Execution]:
    return list(Execution.objects.order_by("id"))


def count_at_videogen(sandbox: Any, prompt: str) -> int:
    """How many jobs with this prompt VideoGen has."""
    return sum(
        each["request"].get("prompt") == prompt for each in sandbox.control("GET", "truth")["executions"]
    )


def unique(words: str) -> str:
    return f"{words} {uuid.uuid4().hex}"


def key_on(page: str) -> str:
    return value(page, "key")


# --- a start ----------------------------------------------------------------------------------------------


async def test_a_start_without_javascript_sends_the_job_and_redirects(
    account: Any, ann_browser: Browser
) -> None:
    prompt = unique("a pier")
    answer = await ann_browser.apost(URL, form(prompt=prompt))
    assert (answer.status_code, answer["Location"]) == (303, URL)
    [execution] = await runtime.in_db(all_jobs)
    assert execution.created_by_id == ann_browser.user.pk
    assert execution.status in ("pending", "running", "succeeded")
    assert execution.request_body["prompt"] == prompt
    assert count_at_videogen(account, prompt) == 1
    page = text(await ann_browser.aget(URL))
    assert prompt in page


async def test_a_start_with_htmx_returns_a_new_form(account: Any, ann_browser: Browser) -> None:
    sent = form(prompt=unique("a pier"), aspectRatio="1:1")
    answer = await ann_browser.apost(URL, sent, headers=HTMX)
    page = answer.content.decode()
    [execution] = await runtime.in_db(all_jobs)
    assert answer.status_code == 200
    assert page.lstrip().startswith("<form"), "the form alone, not a page"
    assert links(page, ".tool-form-started a") == [f"/executions/{execution.pk}/"]
    assert key_on(page) != sent["key"], "the same input can be started again on purpose"
    assert plain_text(page, "textarea[name=prompt]") == sent["prompt"]
    assert values(page, "aspectRatio", checked=True) == ["1:1"]


async def test_a_double_click_starts_one_job(account: Any, ann_browser: Browser) -> None:
    sent = form(prompt=unique("a pier"))
    answers = await asyncio.gather(*(ann_browser.apost(URL, sent) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {303}
    assert len(await runtime.in_db(all_jobs)) == 1
    assert count_at_videogen(account, sent["prompt"]) == 1


async def test_a_form_submitted_twice_starts_one_job(account: Any, ann_browser: Browser) -> None:
    sent = form(prompt=unique("a pier"))
    await ann_browser.apost(URL, sent, headers=HTMX)
    again = await ann_browser.apost(URL, sent, headers=HTMX)
    assert again.status_code == 200
    assert "Already started; not started again." in text(again)
    assert count_at_videogen(account, sent["prompt"]) == 1


async def test_an_edited_form_with_the_same_key_is_a_new_job(account: Any, ann_browser: Browser) -> None:
    sent = form(prompt=unique("a pier"))
    await ann_browser.apost(URL, sent)
    await ann_browser.apost(URL, {**sent, "prompt": unique("another pier")})
    assert len(await runtime.in_db(all_jobs)) == 2


async def test_the_same_key_from_another_person_is_another_job(
    account: Any, ann_browser: Browser, ben_browser: Browser
) -> None:
    sent = form(prompt=unique("a pier"))
    await ann_browser.apost(URL, sent)
    await ben_browser.apost(URL, sent)
    jobs = await runtime.in_db(all_jobs)
    assert [execution.created_by_id for execution in jobs] == [ann_browser.user.pk, ben_browser.user.pk]
    assert count_at_videogen(account, sent["prompt"]) == 2


def test_without_an_event_loop_the_reconciler_sends_the_job(ann_browser: Browser) -> None:
    assert ann_browser.post(URL, form()).status_code == 303
    [execution] = all_jobs()
    assert (execution.status, execution.sent_at, execution.leased_until) == ("queued", None, None)
    assert execution.next_attempt_at is not None


async def test_a_script_starts_a_chain(account: Any, ann_browser: Browser) -> None:
    presenter = value(await ann_browser.aget("/tools/generate-avatar/"), "avatarPresenterId")
    sent = form(speech="Welcome back.", avatarPresenterId=presenter)
    answer = await ann_browser.apost("/tools/generate-avatar/", sent, headers=HTMX)
    assert answer.status_code == 200, text(answer)
    speech, avatar = await runtime.in_db(all_jobs)
    assert (speech.tool, speech.request_body["ttsText"]) == ("text-to-speech", "Welcome back.")
    assert (avatar.tool, avatar.after_id, avatar.status) == ("generate-avatar", speech.pk, "queued")
    assert avatar.sent_at is None, "it is queued until the recording exists"
    assert f"/executions/{speech.pk}/" in answer.content.decode()


# --- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["a page", "htmx"])
def test_an_invalid_field_is_reported_and_input_is_kept(
    headers: dict[str, str], ann_browser: Browser
) -> None:
    answer = ann_browser.post(
        URL, form(numResults="101", prompt="a <b>bold</b> pier", aspectRatio="9:16"), headers=headers
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert value(page, "numResults") == "101", "including the invalid value"
    field = one(page, "[name=numResults]")
    assert attribute(field, "aria-invalid") == "true"
    assert "composer-numResults-error" in attribute(field, "aria-describedby").split()
    assert "less than or equal to 100" in plain_text(page, "#composer-numResults-error")
    assert plain_text(page, "textarea[name=prompt]") == "a <b>bold</b> pier"
    assert values(page, "aspectRatio", checked=True) == ["9:16"]
    assert ("<html" in page) == (not headers)
    assert all_jobs() == []


def test_an_empty_prompt_is_reported(ann_browser: Browser) -> None:
    answer = ann_browser.post(URL, form(prompt=" "), headers=HTMX)
    assert answer.status_code == 422
    assert "Prompt: please fill this in." in text(answer)


def test_an_empty_form_is_refused_field_by_field(ann_browser: Browser) -> None:
    answer = ann_browser.post(URL, {})
    assert answer.status_code == 422
    assert "Prompt: please fill this in." in text(answer)
    assert "Takes: please fill this in." in text(answer)


def test_one_of_several_starting_points_is_needed(ann_browser: Browser) -> None:
    answer = ann_browser.post("/tools/generate-video-clip/", form(prompt=""), headers=HTMX)
    assert answer.status_code == 422
    assert "Fill in at least one of these: Prompt, Reference images or Source video." in text(answer)
    assert all_jobs() == []


def test_a_file_of_the_wrong_kind_is_named(ann_browser: Browser) -> None:
    song = file(type="AUDIO", display_name="Fog horn")
    answer = ann_browser.post("/tools/upscale-image/", form(imageFileId=song.remote_id), headers=HTMX)
    assert answer.status_code == 422
    assert "“Fog horn” is a recording; choose an image." in text(answer)


async def test_a_rejection_by_videogen_is_shown_on_the_form(account: Any, ann_browser: Browser) -> None:
    refused = {"message": "The prompt names a person.", "code": "content_policy"}
    fault = {"kind": "status", "status": 400, "body": refused, "match": "POST /v1/tools/*"}
    account.control("PUT", "faults", {"faults": [fault]})
    sent = form(prompt=unique("a pier"), aspectRatio="4:3")
    answer = await ann_browser.apost(URL, sent, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "VideoGen rejected this job." in page
    assert "The prompt names a person." in page
    assert "content_policy" in page
    assert plain_text(page, "textarea[name=prompt]") == sent["prompt"]
    assert values(page, "aspectRatio", checked=True) == ["4:3"]
    [execution] = await runtime.in_db(all_jobs)
    assert (execution.status, execution.remote_id) == ("failed", None)

    account.control("DELETE", "faults")
    again = await ann_browser.apost(URL, {**sent, "key": key_on(page)}, headers=HTMX)
    assert again.status_code == 200, "the returned form can be submitted again"
    assert count_at_videogen(account, sent["prompt"]) == 1


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (403, {"message": "Not on this plan.", "requirement": {"type": "upgrade_plan", "details": {"plan": "PRO_PLUS"}}},
         "This needs another plan: PRO PLUS."),
        (429, {"message": "No credits.", "code": "insufficient_credits"}, "The account has no credits left."),
        (401, {"message": "Unknown key.", "code": "invalid_api_key"}, "An admin must replace it."),
    ],
)  # fmt: skip
async def test_a_rejection_comes_with_advice(
    status: int, body: dict[str, Any], advice: str, account: Any, ann_browser: Browser
) -> None:
    fault = {"kind": "status", "status": status, "body": body, "match": "POST /v1/tools/*"}
    account.control("PUT", "faults", {"faults": [fault]})
    answer = await ann_browser.apost(URL, form(), headers=HTMX)
    assert answer.status_code == 422
    assert body["message"] in text(answer)
    assert advice in text(answer)


async def test_an_outage_is_not_a_form_error(account: Any, ann_browser: Browser) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "rate_limited", "match": "POST /v1/tools/*"}]})
    answer = await ann_browser.apost(URL, form(), headers=HTMX)
    [execution] = await runtime.in_db(all_jobs)
    assert answer.status_code == 200
    assert execution.status == "queued"
    assert "The hourly limit is used up" in text(await ann_browser.aget("/board/"))


# --- the pages --------------------------------------------------------------------------------------------


def test_a_tool_is_a_page_or_a_fragment_for_htmx(ann_browser: Browser) -> None:
    page = ann_browser.get("/tools/text-to-speech/").content.decode()
    assert "<html" in page
    assert every(page, 'form[action="/tools/text-to-speech/"]')
    fragment = ann_browser.get("/tools/text-to-speech/", headers=HTMX).content.decode()
    assert fragment.lstrip().startswith("<form")
    boosted = ann_browser.get(
        "/tools/text-to-speech/", headers={**HTMX, "HX-Boosted": "true"}
    ).content.decode()
    assert "<html" in boosted


def test_an_unknown_tool_is_not_found(ann_browser: Browser, settings: Any) -> None:
    assert ann_browser.get("/tools/make-coffee/").status_code == 404
    assert ann_browser.post("/tools/make-coffee/", form()).status_code == 404
    settings.VIDEOGEN_API_ERA = "0.0"
    assert ann_browser.get("/tools/generate-music/").status_code == 404
    settings.VIDEOGEN_API_ERA = "1.1"
    assert ann_browser.get("/tools/generate-music/").status_code == 200


def test_the_form_can_be_filled_from_a_job(ann_browser: Browser) -> None:
    earlier = job(ann_browser.user, "succeeded", "a quiet harbour")
    page = ann_browser.get(URL, {"from": earlier.pk})
    assert plain_text(page, "textarea[name=prompt]") == "a quiet harbour"
    other_tool = ann_browser.get("/tools/generate-sound-effect/", {"from": earlier.pk})
    assert plain_text(other_tool, "textarea[name=prompt]") == ""


def test_the_form_can_be_filled_with_a_file(ann_browser: Browser) -> None:
    picture = file(type="IMAGE", display_name="Pier")
    page = ann_browser.get("/tools/upscale-image/", {"file": picture.remote_id})
    assert values(page, "imageFileId", checked=True) == [picture.remote_id]


@pytest.mark.parametrize(
    "query", [{"from": "x"}, {"from": uuid.uuid4()}, {"file": "\x00"}, {"file": ["a", ""]}]
)
def test_invalid_initial_values_are_ignored(query: dict[str, Any], ann_browser: Browser) -> None:
    assert ann_browser.get(URL, query).status_code == 200


def test_the_board_shows_running_and_just_finished_jobs(ann_browser: Browser, ben_browser: Browser) -> None:
    job(ann_browser.user, "running", "a running pier")
    job(ben_browser.user, "succeeded", "a finished pier")
    job(ben_browser.user, "failed", "a failed pier", error={"message": "It rained."})
    page = ann_browser.get("/board/").content.decode()
    flight, finished = (
        plain_text(page, 'section[aria-labelledby="flight-title"]'),
        plain_text(page, "#finished"),
    )
    assert "a running pier" in flight
    assert "a finished pier" in finished
    assert "It rained." in finished
    assert "<html" not in page
    assert plain_text(page).count("Cancel") == 1, "only for the person's own job"


def test_the_board_counts_jobs_that_it_does_not_show(ann_browser: Browser) -> None:
    for number in range(22):
        job(ann_browser.user, "running", f"pier {number}")
    page = text(ann_browser.get("/board/"))
    assert "and 2 more" in page
    assert "pier 21" in page
    assert "pier 0 " not in page


def test_pages_reject_other_methods(ann_browser: Browser) -> None:
    assert ann_browser.post("/").status_code == 405
    assert ann_browser.post("/board/").status_code == 405
    assert ann_browser.client.put(URL).status_code == 405
