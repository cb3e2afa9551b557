"""The form and review of a batch without JavaScript: validating, keeping input, and starting."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from executions.models import Batch, BatchPlan, Execution
from tests.dashboard.browsers import Browser, text
from tests.factories import planning
from tests.factories.files import ready_file
from tests.markup import attribute, content, every, one, plain_text, values

pytestmark = pytest.mark.django_db

LINES = {"way": "lines", "tool": "generate-image", "numResults": "1", "aspectRatio": "16:9"}


def problems(page: Any) -> str:
    return " ".join(plain_text(node) for node in every(page, "#problems"))


def preview(browser: Browser, data: dict[str, Any]) -> Any:
    answer = browser.post(planning.NEW, data)
    assert answer.status_code == 303, problems(answer)
    return browser.get(answer["Location"])


# --- from lines -------------------------------------------------------------------------------------------


def test_lines_are_reviewed_confirmed_and_started_once(ann_browser: Browser) -> None:
    page = preview(ann_browser, {**LINES, "lines": "A cliff\n\n  A pier  \n", "numResults": "2"})

    assert "2 rows, all valid. They produce 4 takes." in text(page)
    assert not Execution.objects.exists(), "nothing starts before confirmation"
    plan = BatchPlan.objects.get()
    url = f"/batches/plans/{plan.pk}/"
    first = ann_browser.post(url, {"only": "all"})
    second = ann_browser.post(url, {"only": "all"})

    batch = Batch.objects.get()
    assert first["Location"] == second["Location"] == f"/batches/{batch.pk}/"
    assert first.status_code == second.status_code == 303
    assert [job.request_body["prompt"] for job in planning.jobs(batch)] == ["A cliff", "A pier"]
    assert {job.request_body["numResults"] for job in planning.jobs(batch)} == {2}
    assert ann_browser.get(url)["Location"] == f"/batches/{batch.pk}/", "the back button leads to the batch"
    assert "Undo" in text(ann_browser.get(f"/batches/{batch.pk}/"))


def test_an_invalid_line_is_reported_and_input_is_kept(ann_browser: Browser) -> None:
    typed = "A cliff\n" + "x" * 20_001 + "\nA <b>pier</b>"

    page = ann_browser.post(
        planning.NEW, {**LINES, "lines": typed, "name": "Coast & sea", "aspectRatio": "9:16"}
    )

    assert page.status_code == 422
    assert "Line 2 Prompt: Ensure this value has at most 20000 characters" in problems(page)
    assert content(one(page, "textarea[name=lines]")).strip("\n") == typed
    assert values(page, "name") == ["Coast & sea"]
    assert values(page, "aspectRatio", checked=True) == ["9:16"]
    assert not BatchPlan.objects.exists()
    assert not Execution.objects.exists()


def test_an_invalid_shared_setting_is_reported_at_its_field(ann_browser: Browser) -> None:
    page = ann_browser.post(planning.NEW, {**LINES, "lines": "A cliff", "numResults": "0"})

    assert page.status_code == 422
    assert "Fix the errors in “Applies to every job”" in problems(page)
    assert "greater than or equal to 1" in page.content.decode()
    assert not BatchPlan.objects.exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "Enter at least one prompt"),
        (" \n\t\n", "Enter at least one prompt"),
        ("a\n" * 501, "Enter at most 500 lines; there are 501"),
    ],
)
def test_too_few_and_too_many_lines(ann_browser: Browser, lines: str, message: str) -> None:
    page = ann_browser.post(planning.NEW, {**LINES, "lines": lines})

    assert page.status_code == 422
    assert message in problems(page)


def test_only_the_first_errors_are_listed_and_the_rest_counted(ann_browser: Browser) -> None:
    page = ann_browser.post(planning.NEW, {**LINES, "lines": ("x" * 20_001 + "\n") * 53})

    assert "Line 50 Prompt" in problems(page)
    assert "Line 51" not in problems(page)
    assert "And 3 more." in problems(page)


def test_another_tool_keeps_the_input(ann_browser: Browser) -> None:
    page = ann_browser.post(
        planning.NEW,
        {**LINES, "lines": "A cliff\nA pier", "numResults": "7", "change": "tool:generate-sound-effect"},
    )

    assert page.status_code == 200
    assert content(one(page, "textarea[name=lines]")).strip("\n") == "A cliff\nA pier"
    assert values(page, "tool") == ["generate-sound-effect"]
    assert values(page, "numResults") == ["7"]
    assert problems(page) == ""


# --- from a table -----------------------------------------------------------------------------------------


def upload(content: str | bytes, name: str = "coast.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content, "text/csv")


def test_a_batch_from_a_file_has_the_name_of_the_file(ann_browser: Browser) -> None:
    table = upload("\ufeffprompt;numResults\nA cliff;1\nA pier;2\n")

    page = preview(ann_browser, {"way": "table", "tool": "generate-image", "table": table})

    assert "2 rows, all valid" in text(page)
    assert BatchPlan.objects.get().name == "coast"
    assert "Takes: 2" in text(page)


def test_an_invalid_table_can_be_corrected_on_the_page(ann_browser: Browser) -> None:
    table = upload("prompt,numResults\nA cliff,1\nA <pier>,900\n")

    page = ann_browser.post(planning.NEW, {"way": "table", "tool": "generate-image", "table": table})

    assert page.status_code == 422
    assert "Row 3 Takes: Ensure this value is less than or equal to 100." in problems(page)
    assert "A <pier>,900" in content(one(page, "textarea[name=csv]"))
    assert not BatchPlan.objects.exists()
    fixed = {"way": "table", "tool": "generate-image", "csv": "prompt,numResults\nA cliff,1\nA <pier>,9\n"}
    assert "2 rows, all valid" in text(preview(ann_browser, fixed))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"prompt\n\xff\xfe\n", "not UTF-8"), (b"prompt\n" + b"x" * 1_048_577, "larger than 1 MiB")],
)
def test_an_unreadable_file_keeps_the_input(ann_browser: Browser, content: bytes, message: str) -> None:
    page = ann_browser.post(
        planning.NEW,
        {"way": "table", "tool": "generate-image", "csv": "prompt\na pier\n", "table": upload(content)},
    )

    assert page.status_code == 422
    assert message in problems(page)
    assert "prompt\na pier\n" in page.content.decode()


def test_each_tool_has_a_template_to_download(ann_browser: Browser) -> None:
    answer = ann_browser.get("/batches/template/upscale-image.csv", {"file": ready_file().remote_id})

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="upscale-image.csv"'
    assert "vg_file_harbour" in answer.content.decode("utf-8-sig")
    assert ann_browser.get("/batches/template/no-such-tool.csv").status_code == 404


# --- from files -------------------------------------------------------------------------------------------


def test_files_from_the_library_share_one_tool_and_its_settings(ann_browser: Browser) -> None:
    one, two, other = ready_file("one"), ready_file("two"), ready_file("other")

    page = ann_browser.get(planning.NEW, {"file": [one.remote_id, str(two.pk)]})

    assert set(values(page, "file", checked=True)) == {one.remote_id, two.remote_id}
    assert values(page, "file", checked=False) == [other.remote_id]
    assert "Upscale" in text(page)
    assert "Upscale video" not in text(page)

    data = {
        "way": "files",
        "tool": "upscale-image",
        "file": [one.remote_id, two.remote_id],
        "numResults": "1",
    }
    shown = text(preview(ann_browser, data))
    assert "Upscale “one”" in shown
    assert "Upscale “two”" in shown
    assert [row["body"]["imageFileId"] for row in BatchPlan.objects.get().rows] == [
        one.remote_id,
        two.remote_id,
    ]


def test_files_of_two_types_offer_the_tools_that_accept_both(ann_browser: Browser) -> None:
    picture, film = ready_file("picture"), ready_file("film", media="VIDEO")

    page = ann_browser.get(planning.NEW, {"file": [picture.remote_id, film.remote_id]})

    assert [attribute(each, "value") for each in every(page, '[value^="tool:"]')] == [
        "tool:generate-video-clip"
    ]
    data = {
        "way": "files",
        "tool": "generate-video-clip",
        "file": [picture.remote_id, film.remote_id],
        "numResults": "1",
        "prompt": "slowly",
    }
    preview(ann_browser, data)
    first, second = (row["body"] for row in BatchPlan.objects.get().rows)
    assert (first.get("imageFileIds"), first.get("videoFileIds"), first["prompt"]) == (
        [picture.remote_id],
        None,
        "slowly",
    )
    assert (second.get("imageFileIds"), second.get("videoFileIds")) == (None, [film.remote_id])


def test_a_missing_file_is_reported_by_its_number(ann_browser: Browser) -> None:
    one = ready_file("one")

    page = ann_browser.post(
        planning.NEW,
        {"way": "files", "tool": "upscale-image", "file": [one.remote_id, "vg_gone"], "numResults": "1"},
    )

    assert page.status_code == 422
    assert "File 2 This file is no longer in the library." in problems(page)
    assert not BatchPlan.objects.exists()


def test_files_that_no_tool_accepts_together_are_reported(ann_browser: Browser) -> None:
    files = [ready_file("a"), ready_file("b", media="AUDIO"), ready_file("c", media="HOLOGRAM")]

    page = ann_browser.post(planning.NEW, {"way": "files", "file": [file.remote_id for file in files]})

    assert page.status_code == 422
    assert "No tool accepts all of these file types." in text(page)


@pytest.mark.parametrize(
    "query",
    [
        {"way": "\x00", "tool": "\x00", "file": "\x00"},
        {"way": "files", "file": ["", "../..", "‮", "<script>"]},
        {"way": "table", "tool": "nothing"},
        {"tool": "generate-avatar", "way": "lines"},
    ],
)
def test_hostile_links_show_a_form(ann_browser: Browser, query: dict[str, Any]) -> None:
    page = ann_browser.get(planning.NEW, query)

    assert page.status_code == 200
    assert "<script>" not in page.content.decode()
