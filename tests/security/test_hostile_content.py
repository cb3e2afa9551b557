"""Hostile texts, names and media: stored unchanged or refused with a message, shown as text, never executed."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.utils import timezone

from executions.core import runtime
from executions.models import Execution
from tests.dashboard.browsers import HTMX, Browser
from tests.dashboard.sockets import open_socket, receive_until
from tests.factories.files import file
from tests.factories.forms import form
from tests.factories.jobs import job
from tests.markup import every, links
from tests.security.test_headers_and_markup import inline

PROMPTS = {
    "a script": "<script>alert(document.cookie)</script>",
    "a closing textarea": "</textarea><script>alert(1)</script>",
    "a closing attribute": '" autofocus onfocus="alert(1)" x=\'',
    "an image that fails": "<img src=x onerror=alert(1)>",
    "template syntax": "{{ settings.SECRET_KEY }}{% csrf_token %}{# no #}",
    "htmx attributes": '<b hx-get="/sign-out/" hx-trigger="load">x</b>',
    "out of band": '<div id="nav-in-flight" hx-swap-oob="true">1000000</div>',
    "half an entity": "&lt;script&gt; &#60;b&#62; & < >",
    "right to left": "\u202egnp.exe\u202c \u2066x\u2069",
    "emoji": "👩‍👩‍👧‍👦 🏴‍☠️ \U0001fae0",
    "zalgo": "p̷̡͇͎i̶͚͝e̵̥͑r̷̗̋",
    "lines": "one\r\ntwo\n\n\nthree\t\u2028four",
    "SQL": "'; DROP TABLE executions_execution; --",
}


def stripped(prompt: str) -> str:
    """The prompt as Django reads it from a form: without white space at the ends."""
    return prompt.strip()


@pytest.mark.parametrize("name", PROMPTS)
def test_a_hostile_prompt_is_stored_unchanged_and_shown_as_text(name: str, ann_browser: Browser) -> None:
    prompt = PROMPTS[name]
    assert ann_browser.post("/tools/generate-image/", form(prompt=prompt)).status_code == 303
    execution = Execution.objects.get()
    assert execution.request_body["prompt"] == stripped(prompt)
    succeeded = job(ann_browser.user, "succeeded", prompt)
    failed = job(
        ann_browser.user,
        "failed",
        prompt,
        error={"message": prompt, "code": prompt, "internal_error_code": prompt},
    )
    urls = [
        *("/", "/board/", "/executions/", f"/executions/{execution.pk}/"),
        *(
            f"/executions/{succeeded.pk}/",
            f"/executions/{failed.pk}/",
            f"/tools/generate-image/?from={succeeded.pk}",
        ),
    ]
    for url in urls:
        answer = ann_browser.get(url)
        page = answer.content.decode()
        assert answer.status_code == 200, url
        assert inline(answer).found == [], url
        assert "<img src=x" not in page, url
        assert configured.SECRET_KEY not in page, url
        assert len(every(page, "#nav-in-flight")) <= 1, url
        assert not every(page, 'b[hx-get="/sign-out/"]'), url


@pytest.mark.parametrize("name", ["a script", "out of band", "a closing attribute"])
@pytest.mark.django_db(transaction=True)
async def test_a_hostile_prompt_is_shown_as_text_in_live_updates(name: str, ann_browser: Browser) -> None:
    prompt = PROMPTS[name]
    page = await open_socket(ann_browser, "studio")
    await runtime.in_db(job, ann_browser.user, "running", prompt)
    frame = await receive_until(page, 'class="job-card"')
    assert prompt not in frame
    assert "<script" not in frame
    await page.disconnect()


def test_an_invalid_form_shows_hostile_input_as_text(ann_browser: Browser) -> None:
    answer = ann_browser.post(
        "/tools/generate-image/", form(prompt=PROMPTS["a closing textarea"], numResults="0")
    )
    assert answer.status_code == 422
    assert inline(answer).found == []
    assert "&lt;/textarea&gt;" in answer.content.decode()


def test_a_prompt_that_is_too_long_is_refused_with_a_message(ann_browser: Browser) -> None:
    answer = ann_browser.post("/tools/generate-image/", form(prompt="pier " * 20_000), headers=HTMX)
    assert answer.status_code == 422
    assert "at most 20000 characters" in answer.content.decode()
    assert not Execution.objects.exists()


def test_a_nul_is_refused_with_a_message(ann_browser: Browser) -> None:
    answer = ann_browser.post("/tools/generate-image/", form(prompt="a pier\x00"), headers=HTMX)
    assert answer.status_code == 422
    assert "Null characters are not allowed." in answer.content.decode()


def test_a_form_that_is_too_large_is_refused(ann_browser: Browser) -> None:
    answer = ann_browser.post("/tools/generate-image/", form(prompt="x" * (3 * 1024 * 1024)))
    assert answer.status_code in (400, 413)
    assert not Execution.objects.exists()


@pytest.mark.parametrize("key", ["k" * 5000, "\x00", "<script>", "' OR 1=1 --"])
def test_a_forged_form_key_does_no_harm(key: str, ann_browser: Browser) -> None:
    assert ann_browser.post("/tools/generate-image/", form(key=key)).status_code in (303, 422)


@pytest.mark.parametrize("voice_id", ["x" * 3000, "%00", "..%2f..%2fetc", "<script>"])
def test_an_unknown_voice_is_not_found(voice_id: str, ann_browser: Browser) -> None:
    assert ann_browser.post(f"/voices/{voice_id}/sample/").status_code == 404


# --- texts from VideoGen ----------------------------------------------------------------------------------


def test_hostile_texts_from_videogen_are_shown_as_text(ann_browser: Browser) -> None:
    script = PROMPTS["a script"]
    execution = job(ann_browser.user, f"status {script}"[:60], "a pier")
    Execution.objects.filter(pk=execution.pk).update(
        note=script, last_answer={script: [script]}, start_answer=script
    )
    for url in ("/", "/executions/", f"/executions/{execution.pk}/"):
        answer = ann_browser.get(url)
        assert inline(answer).found == [], url
    assert json.dumps(script)[1:-1] not in answer.content.decode()


def test_a_hostile_requirement_is_shown_as_text(ann_browser: Browser) -> None:
    script = PROMPTS["an image that fails"]
    error = {"message": script, "requirement": {"type": script, "details": {script: script}}}
    execution = job(ann_browser.user, "failed", error=error)
    page = ann_browser.get(f"/executions/{execution.pk}/").content.decode()
    assert "<img src=x" not in page


# --- names of files ---------------------------------------------------------------------------------------

NAMES = {
    "a path": "../../../etc/passwd",
    "a header": "pier.png\r\nSet-Cookie: sessionid=stolen",
    "quotes": "pier\".png\"; filename*=UTF-8''evil.html",
    "markup": "<img src=x onerror=alert(1)>.png",
    "255 bytes of UTF-8": "桟" * 85,
    "right to left": "pier\u202egnp.exe",
    "an escaped NUL": "pier%00.png",
    "empty": "",
}


def source(url: str) -> dict[str, Any]:
    expires = timezone.now() + timedelta(hours=1)
    return {"status": "ready", "url": url, "expiresAt": expires.isoformat()}


@pytest.mark.parametrize("display_name", NAMES.values(), ids=NAMES)
def test_a_hostile_file_name_does_no_harm(display_name: str, ann_browser: Browser) -> None:
    media = source("https://media.example.org/signed?filename=pier.png")
    snapshot = {
        "fileId": "vg_file_1",
        "displayName": display_name,
        "previewSource": media,
        "downloadSource": media,
    }
    picture = file("vg_file_1", type="IMAGE", display_name=display_name, snapshot=snapshot)
    # The headers of downloads: tests/dashboard/library/test_downloads.py.
    for kind in ("preview", "thumbnail"):
        answer = ann_browser.get(f"/files/{picture.pk}/{kind}")
        assert answer.status_code == 302
        assert answer["Location"] == media["url"]
        assert "Set-Cookie" not in answer
        assert not answer.cookies
        assert "etc/passwd" not in str(answer.headers)
    for url in ("/tools/upscale-image/", "/files/pick/?tool=upscale-image&field=imageFileId"):
        answer = ann_browser.get(url)
        assert answer.status_code == 200
        assert inline(answer).found == []
        assert "<img src=x" not in answer.content.decode()
    started = ann_browser.post("/tools/upscale-image/", form(imageFileId="vg_file_1"))
    assert started.status_code in (303, 422)
    assert inline(ann_browser.get("/")).found == []


@pytest.mark.parametrize("text", ["é\r\nX-Evil: 1", "a\nb", "a b\t"])
def test_a_url_with_a_line_break_adds_no_header(text: str, ann_browser: Browser) -> None:
    picture = file(
        type="IMAGE", snapshot={"fileId": "x", "previewSource": source(f"https://media.example.org/{text}")}
    )
    answer = ann_browser.get(f"/files/{picture.pk}/preview")
    assert "X-Evil" not in answer
    assert "\n" not in answer.get("Location", "")


# --- media ------------------------------------------------------------------------------------------------


def test_media_are_never_served_from_the_origin_of_rushes(ann_browser: Browser) -> None:
    """An SVG with a script, or HTML that claims to be an image, is on another origin.

    Links of Rushes only redirect there, and an image is shown in an <img>, where no script runs.
    """
    execution = job(ann_browser.user, "succeeded", results=3)
    page = ann_browser.get(f"/executions/{execution.pk}/").content.decode()
    for tag in ("<iframe", "<object", "<embed", "<svg onload"):
        assert tag not in page
    for result in execution.results.all():
        assert links(page, f"img#media-{result.file_id}", "src") == [f"/files/{result.file_id}/preview"]


@pytest.mark.parametrize("kind", ["image/svg+xml", "text/html", "", "IMAGE<script>", "HTML"])
def test_a_result_of_an_unknown_type_is_only_offered_for_download(kind: str, ann_browser: Browser) -> None:
    execution = job(ann_browser.user, "succeeded", results=1)
    result = execution.results.get()
    type(result.file).objects.filter(pk=result.file_id).update(type=kind)
    answer = ann_browser.get(f"/executions/{execution.pk}/")
    assert f"/files/{result.file_id}/preview" not in links(answer, "[src]", "src")
    assert f"/files/{result.file_id}/download" in links(answer)
    assert inline(answer).found == []


def test_the_redirect_to_media_has_no_body(ann_browser: Browser) -> None:
    picture = file(
        type="IMAGE", snapshot={"fileId": "x", "previewSource": source("https://media.example.org/a.svg")}
    )
    answer = ann_browser.get(f"/files/{picture.pk}/preview")
    assert answer.content == b""
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert uuid.UUID(str(picture.pk))
