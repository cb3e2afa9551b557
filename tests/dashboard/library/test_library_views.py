"""The grid: filters, paging, search by name, public files, and the number of queries."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.library.page import PAGE_SIZE
from executions.models import File
from tests.dashboard.browsers import HTMX, Browser, text
from tests.factories.files import file
from tests.markup import attribute, every, link, links, one, plain_text, value, values


def names(answer: Any) -> list[str]:
    """The files of a page, in order."""
    return [plain_text(node) for node in every(answer, "h3.file-tile-title a")]


def fill(count: int, **columns: Any) -> list[File]:
    return [
        file(**{"type": "IMAGE", "scope": "GLOBAL", "display_name": f"shot {number:03}", **columns})
        for number in range(count)
    ]


def test_the_newest_file_is_first(ann_browser: Browser) -> None:
    fill(3)
    assert names(ann_browser.get("/files/")) == ["shot 002", "shot 001", "shot 000"]


def test_an_empty_library_says_so(ann_browser: Browser) -> None:
    assert "The library is empty." in text(ann_browser.get("/files/"))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("type=VIDEO", ["film", "odd"]),
        ("scope=TEMPORARY", ["film"]),
        ("tool=upscale-image", ["larger"]),
        ("person={ann}", ["odd", "mine"]),
        ("person={ann}&type=VIDEO", ["odd"]),
        ("show=archived", ["old"]),
        ("q=LARGE", ["larger"]),
        ("q=rge+LAR", ["larger"]),
        ("q=la", ["larger"]),
        ("q=arg+-lar", []),
        ("q=100%25_sure", ["100%_sure"]),
        ("type=VIDEO&q=nothing+like+it", []),
        ("type=HOLOGRAM&scope=x&tool=no-such&person=no-one&after=no-id", None),
        ("q=%00&person=%C2%B2&type=%00", None),
        ("person=99999999999999999999", None),
    ],
)
def test_filters_select_files_and_invalid_ones_are_ignored(
    query: str, wanted: list[str] | None, ann_browser: Browser
) -> None:
    file(display_name="100%_sure", type="IMAGE", scope="GLOBAL")
    file(display_name="larger", type="IMAGE", scope="GLOBAL", source_tool="upscale-image")
    file(display_name="mine", type="IMAGE", scope="GLOBAL", created_by=ann_browser.user)
    file(display_name="old", type="IMAGE", scope="GLOBAL", archived_at=timezone.now())
    file(display_name="film", type="VIDEO", scope="TEMPORARY")
    file(display_name="odd", type="VIDEO", scope="GLOBAL", created_by=ann_browser.user)
    answer = ann_browser.get("/files/?" + query.format(ann=ann_browser.user.pk))
    assert answer.status_code == 200
    every = ["odd", "film", "mine", "larger", "100%_sure"]
    assert sorted(names(answer)) == sorted(every if wanted is None else wanted)


def test_unfinished_uploads_are_not_in_the_library(ann_browser: Browser) -> None:
    file(display_name="uploading", state="uploading")
    file(display_name="broken", state="failed")
    file(display_name="processing", state="processing")
    assert names(ann_browser.get("/files/")) == ["processing"]


def test_pages_follow_each_other_without_a_gap_while_new_files_come(ann_browser: Browser) -> None:
    fill(2 * PAGE_SIZE + 5)
    seen: list[str] = []
    url, pages = "/files/", 0
    while url:
        answer = ann_browser.get(url)
        seen += names(answer)
        url = link(answer, '[href*="after="]')
        pages += 1
        file(display_name="new meanwhile")
    assert pages == 3
    assert seen == [f"shot {number:03}" for number in reversed(range(2 * PAGE_SIZE + 5))]


def test_the_next_page_keeps_the_filters(ann_browser: Browser) -> None:
    fill(PAGE_SIZE + 1)
    fill(PAGE_SIZE + 1, type="VIDEO")
    page = ann_browser.get("/files/?type=VIDEO&q=shot")
    rest = ann_browser.get(links(page, '[hx-get*="after="]', "hx-get")[0], headers=HTMX)
    assert names(rest) == ["shot 000"]
    assert "<html" not in rest.content.decode(), "htmx gets the tiles alone"


def test_hostile_names_are_shown_as_text(ann_browser: Browser) -> None:
    name = "<img src=x onerror=alert(1)>\"'\u202e"
    made = file(display_name=name, type="IMAGE", description=name, transcript=name)
    for url in ("/files/", f"/files/{made.pk}/"):
        page = ann_browser.get(url).content.decode()
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_a_failed_search_by_content_shows_a_message(ann_browser: Browser) -> None:
    fill(2)
    answer = ann_browser.get("/files/?q=the+sea&by=meaning")
    assert answer.status_code == 200
    assert "VideoGen could not search by content" in text(answer)


@pytest.mark.parametrize("url", ["/files/", "/files/?type=IMAGE&q=shot", "/files/public/", "/files/upload/"])
def test_queries_do_not_grow_with_rows(url: str, ann_browser: Browser, ben_browser: Browser) -> None:
    def some(count: int) -> None:
        fill(
            count,
            created_by=ann_browser.user,
            public_since=timezone.now(),
            public_by=ben_browser.user,
            origin="upload",
        )
        fill(
            count,
            created_by=ben_browser.user,
            public_since=timezone.now(),
            public_by=ann_browser.user,
            origin="upload",
        )

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ann_browser.get(url).status_code == 200
        return len(captured)

    some(3)
    ann_browser.get(url)
    few = queries()
    some(40)
    # Common words do not query the search index.
    assert queries() <= few if "q=" in url else queries() == few
    assert few <= 12


def test_only_the_owner_can_read_an_uploads_state(ann_browser: Browser, ben_browser: Browser) -> None:
    made = file(created_by=ann_browser.user, origin="upload", state="processing", display_name="pier")
    url = f"/files/states/?id={made.pk}&id=nonsense"
    assert [each["state"] for each in ann_browser.get(url).json()["files"]] == ["processing"]
    assert ben_browser.get(url).json()["files"] == []


def test_public_files_are_listed_with_their_dates(ann_browser: Browser, ben_browser: Browser) -> None:
    until = timezone.now() + timedelta(days=3)
    file(display_name="open", type="VIDEO", created_by=ben_browser.user, public_since=timezone.now(), public_until=until, public_by=ben_browser.user)  # fmt: skip
    file(display_name="published outside", type="VIDEO", public_since=timezone.now())
    file(display_name="private", type="VIDEO")
    page = ann_browser.get("/files/public/")
    shown_text = text(page)
    assert "private" not in shown_text
    assert re.search(r"published outside outside Rushes .+ no end date open ben ", shown_text)
    assert until.strftime("%-d %b") in shown_text
    assert "Withdraw" not in shown_text, "neither file is ann's"
    assert "Withdraw" in text(ben_browser.get("/files/public/"))


def test_selected_files_start_a_batch_of_exactly_these(ann_browser: Browser) -> None:
    first, second, third = fill(3)
    page = ann_browser.get("/files/")
    boxes = [attribute(box, "value") for box in every(page, "input[type=checkbox][form=chosen][name=file]")]
    assert boxes == [third.remote_id, second.remote_id, first.remote_id]
    assert attribute(one(page, "form#chosen"), "action") == "/batches/new/"
    names = [third.remote_id, first.remote_id]
    by_link = ann_browser.get("/batches/new/", {"way": "files", "file": names})
    by_form = ann_browser.post("/batches/new/", {"change": "way:files", "file": names})
    for batch in (by_link, by_form):
        assert batch.status_code == 200
        assert values(batch, "file", checked=True) == names


def test_selected_files_are_sent_in_a_body(ann_browser: Browser) -> None:
    """Five hundred ids do not fit into a URL."""
    form = one(ann_browser.get("/files/"), "form#chosen")
    assert attribute(form, "method") == "post"
    assert value(form, "csrfmiddlewaretoken")
    assert values(form, "change") == ["way:files"]


def test_a_processing_file_cannot_be_selected(ann_browser: Browser) -> None:
    file(type="IMAGE", scope="GLOBAL", display_name="shot", state="processing", created_by=ann_browser.user)
    assert not every(ann_browser.get("/files/"), '[form="chosen"]')
