"""The pages of batches without JavaScript: what is typed is checked, kept, shown and started, by whoever may."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from executions.models import Batch, BatchPlan, Execution
from tests.dashboard.browsers import Browser, text
from tests.factories import planning
from tests.factories.files import ready_file
from tests.markup import attribute, every, values, words

pytestmark = pytest.mark.django_db

LINES = {"way": "lines", "tool": "generate-image", "numResults": "1", "aspectRatio": "16:9"}


def problems(page: Any) -> str:
    return " ".join(words(node) for node in every(page, "#problems"))


def preview(browser: Browser, data: dict[str, Any]) -> Any:
    answer = browser.post(planning.NEW, data)
    assert answer.status_code == 303, problems(answer)
    return browser.get(answer["Location"])


# --- from lines -------------------------------------------------------------------------------------------


def test_lines_are_looked_over_confirmed_and_started_once(ann_browser: Browser) -> None:
    page = preview(ann_browser, {**LINES, "lines": "A cliff\n\n  A pier  \n", "numResults": "2"})

    assert "2 rows, all checked. They ask for 4 results." in text(page)
    assert not Execution.objects.exists(), "nothing starts before the yes"
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


def test_a_wrong_line_is_named_nothing_starts_and_nothing_is_lost(ann_browser: Browser) -> None:
    typed = "A cliff\n" + "x" * 20_001 + "\nA <b>pier</b>"

    page = ann_browser.post(
        planning.NEW, {**LINES, "lines": typed, "name": "Coast & sea", "aspectRatio": "9:16"}
    )

    assert page.status_code == 422
    assert "Line 2 Prompt: Ensure this value has at most 20000 characters" in problems(page)
    body = html.unescape(page.content.decode())
    assert typed in body
    assert 'value="Coast & sea"' in body
    assert values(page, "aspectRatio", checked=True) == ["9:16"]
    assert not BatchPlan.objects.exists()
    assert not Execution.objects.exists()


def test_a_wrong_option_is_said_at_its_field(ann_browser: Browser) -> None:
    page = ann_browser.post(planning.NEW, {**LINES, "lines": "A cliff", "numResults": "0"})

    assert page.status_code == 422
    assert "Something in “The same for all” is not right" in problems(page)
    assert "greater than or equal to 1" in page.content.decode()
    assert not BatchPlan.objects.exists()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "Write at least one prompt"),
        (" \n\t\n", "Write at least one prompt"),
        ("a\n" * 501, "At most 500 lines, please; there are 501"),
    ],
)
def test_too_few_and_too_many_lines(ann_browser: Browser, lines: str, said: str) -> None:
    page = ann_browser.post(planning.NEW, {**LINES, "lines": lines})

    assert page.status_code == 422
    assert said in problems(page)


def test_only_the_first_problems_are_listed_and_the_rest_counted(ann_browser: Browser) -> None:
    page = ann_browser.post(planning.NEW, {**LINES, "lines": ("x" * 20_001 + "\n") * 53})

    assert "Line 50 Prompt" in problems(page)
    assert "Line 51" not in problems(page)
    assert "And 3 more." in problems(page)


def test_another_tool_keeps_what_was_typed(ann_browser: Browser) -> None:
    page = ann_browser.post(
        planning.NEW,
        {**LINES, "lines": "A cliff\nA pier", "numResults": "7", "change": "tool:generate-sound-effect"},
    )

    body = page.content.decode()
    assert page.status_code == 200
    assert "A cliff\nA pier" in body
    assert 'name="tool" value="generate-sound-effect"' in body
    assert values(page, "numResults") == ["7"]
    assert problems(page) == ""


# --- from a table -----------------------------------------------------------------------------------------


def upload(content: str | bytes, name: str = "coast.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content, "text/csv")


def test_a_table_from_a_file_is_started_under_the_files_name(ann_browser: Browser) -> None:
    table = upload("\ufeffprompt;numResults\nA cliff;1\nA pier;2\n")

    page = preview(ann_browser, {"way": "table", "tool": "generate-image", "table": table})

    assert "2 rows, all checked" in text(page)
    assert BatchPlan.objects.get().name == "coast"
    assert "Takes: 2" in text(page)


def test_a_wrong_table_comes_back_to_be_put_right_on_the_page(ann_browser: Browser) -> None:
    table = upload("prompt,numResults\nA cliff,1\nA <pier>,900\n")

    page = ann_browser.post(planning.NEW, {"way": "table", "tool": "generate-image", "table": table})

    assert page.status_code == 422
    assert "Row 3 Takes: Ensure this value is less than or equal to 100." in problems(page)
    assert "A <pier>,900" in html.unescape(page.content.decode())
    assert not BatchPlan.objects.exists()
    fixed = {"way": "table", "tool": "generate-image", "csv": "prompt,numResults\nA cliff,1\nA <pier>,9\n"}
    assert "2 rows, all checked" in text(preview(ann_browser, fixed))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"prompt\n\xff\xfe\n", "not in UTF-8"), (b"prompt\n" + b"x" * 1_048_577, "larger than 1 MiB")],
)
def test_a_file_that_cannot_be_read_leaves_what_was_typed(
    ann_browser: Browser, content: bytes, said: str
) -> None:
    page = ann_browser.post(
        planning.NEW,
        {"way": "table", "tool": "generate-image", "csv": "prompt\nkept\n", "table": upload(content)},
    )

    assert page.status_code == 422
    assert said in problems(page)
    assert "prompt\nkept\n" in page.content.decode()


def test_the_template_is_a_download_for_each_tool(ann_browser: Browser) -> None:
    answer = ann_browser.get("/batches/template/upscale-image.csv", {"file": ready_file().remote_id})

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="upscale-image.csv"'
    assert "vg_file_harbour" in answer.content.decode("utf-8-sig")
    assert ann_browser.get("/batches/template/no-such-tool.csv").status_code == 404


# --- from files -------------------------------------------------------------------------------------------


def test_files_from_the_library_get_one_tool_and_its_options_once(ann_browser: Browser) -> None:
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


def test_files_of_two_kinds_offer_the_tools_that_take_both(ann_browser: Browser) -> None:
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


def test_a_file_that_is_gone_is_named_by_its_place(ann_browser: Browser) -> None:
    one = ready_file("one")

    page = ann_browser.post(
        planning.NEW,
        {"way": "files", "tool": "upscale-image", "file": [one.remote_id, "vg_gone"], "numResults": "1"},
    )

    assert page.status_code == 422
    assert "File 2 It is not in the library any more." in problems(page)
    assert not BatchPlan.objects.exists()


def test_files_that_no_tool_takes_together_say_so(ann_browser: Browser) -> None:
    files = [ready_file("a"), ready_file("b", media="AUDIO"), ready_file("c", media="HOLOGRAM")]

    page = ann_browser.post(planning.NEW, {"way": "files", "file": [file.remote_id for file in files]})

    assert page.status_code == 422
    assert "No tool takes all of these kinds of files." in text(page)


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
