"""The History page: filters in the URL, saved views, columns, new jobs, paging and exports."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext

from dashboard.history import page as history_page
from dashboard.history.page import HistoryPage
from executions.core import runtime
from executions.lifecycle import status_machine
from executions.models import Event, Execution, SavedFilter
from executions.models.event import ActKind
from tests.dashboard.browsers import Browser, text
from tests.factories.jobs import job
from tests.factories.past_jobs import past_job, write
from tests.markup import every, links, plain_text

URL = "/executions/"
pytestmark = pytest.mark.django_db


# --- filters ----------------------------------------------------------------------------------------------


def test_filters_are_shown_and_preserved_in_every_link(ann_browser: Browser, ben_browser: Browser) -> None:
    job(ann_browser.user, "failed", "a lost pier")
    query = f"status=failed&status=-running&person={ann_browser.user.pk}&when=7d&q=pier"
    page = ann_browser.get(f"{URL}?{query}")
    words = text(page)
    assert "failed, not running" in words
    assert "last 7 days" in words
    assert "a lost pier" in words
    urls = " ".join(links(page))
    assert f"/executions/export.csv?{query}" in urls
    assert f"{query}&view=gallery" in urls
    assert f"{query}&sort=longest" in urls
    assert plain_text(page, "#rows mark") == "pier"


@pytest.mark.parametrize("query", ["person=x", "person=99999999999999999999", "batch=1", "when=never", "from=2026-13-01", "to=0000-00-00", "to=9999-12-31", "min=-1", "max=nan", "max=inf", "min=1e400", "origin=moon", "sort=x", "view=x", "top=x", "columns=x", "status=", "q=%00"])  # fmt: skip
def test_invalid_filters_are_ignored(query: str, ann_browser: Browser) -> None:
    job(ann_browser.user, prompt="a pier")
    answer = ann_browser.get(f"{URL}?{query}")
    assert answer.status_code == 200
    assert "a pier" in text(answer)


def test_ignored_filter_values_are_listed(ann_browser: Browser) -> None:
    said = text(ann_browser.get(f"{URL}?from=2026-13-45&status=failed&tool=-nonsense&max=soon"))
    for typed in ("2026-13-45", "-nonsense", "soon"):
        assert f"\N{LEFT DOUBLE QUOTATION MARK}{typed}\N{RIGHT DOUBLE QUOTATION MARK}" in said
    assert "Ignored unknown filter value" in said
    assert "Ignored" not in text(ann_browser.get(f"{URL}?from=2026-01-02&status=failed&when=7d&q=pier"))
    form = "q=&when=between&from=2026-01-02&to=&min=&max=&origin="
    assert "Ignored" not in text(ann_browser.get(f"{URL}?{form}")), "as the form is sent without JavaScript"


def test_an_unknown_tool_can_be_filtered_by(ann_browser: Browser) -> None:
    """An external job may use a tool that this version does not know."""
    job(ann_browser.user, prompt="a pier")
    status_machine.insert_external(
        Execution(tool="future-thing", remote_id="vg_exec_future", origin="elsewhere")
    )
    page = text(ann_browser.get(f"{URL}?tool=future-thing"))
    assert "Ignored" not in page
    assert "1 job" in page
    assert "a pier" not in page


def test_a_day_is_included_to_its_end(ann_browser: Browser) -> None:
    today = job(ann_browser.user, prompt="a pier").created_at.date().isoformat()
    assert "a pier" in text(ann_browser.get(f"{URL}?from={today}&to={today}"))
    assert "No matches." in text(ann_browser.get(f"{URL}?to=2020-01-01"))


def test_columns_are_remembered(ann_browser: Browser) -> None:
    job(ann_browser.user)
    answer = ann_browser.post(
        f"{URL}columns/", {"column": ["tool", "batch", "nonsense"], "query": "status=queued"}
    )
    assert answer["Location"] == f"{URL}?status=queued"
    assert every(ann_browser.get(URL), '[data-columns="tool batch"]')


# --- saved views ------------------------------------------------------------------------------------------


def test_a_view_is_saved_for_the_whole_team(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    form = {"name": " Failed \x00 here ", "query": "q=&status=failed&when=never&status=failed&offset=9"}
    assert ann_browser.post(f"{URL}views/", form)["Location"] == f"{URL}?status=failed"
    view = SavedFilter.objects.get()
    assert (view.name, view.query) == ("Failed here", "status=failed")
    assert every(ben_browser.get(URL), f'a[href="{URL}?status=failed"][title="Saved by ann"]')
    here = ben_browser.get(f"{URL}?status=failed").content.decode()
    assert f"{URL}views/{view.pk}/forget/" not in here, "ben may not remove it"
    assert ben_browser.post(f"{URL}views/{view.pk}/forget/").status_code == 403
    assert f"{URL}views/{view.pk}/forget/" in ada_browser.get(f"{URL}?status=failed").content.decode()
    assert ada_browser.post(f"{URL}views/{view.pk}/forget/").status_code == 303
    assert not SavedFilter.objects.exists()


def test_names_of_views_are_unique(ann_browser: Browser, ben_browser: Browser) -> None:
    ann_browser.post(f"{URL}views/", {"name": "Mine", "query": "status=failed"})
    ben_browser.post(f"{URL}views/", {"name": "Mine", "query": "status=queued"})
    assert "A view named “Mine” already exists" in text(ben_browser.get(URL))
    assert SavedFilter.objects.get().query == "status=failed"
    ben_browser.post(f"{URL}views/", {"name": "  ", "query": "status=queued"})
    assert "Enter a name for the view" in text(ben_browser.get(URL))


# --- new jobs and paging ----------------------------------------------------------------------------------


def test_only_matching_jobs_count_as_new(ann_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    top = job(ann_browser.user, "failed", "a lost pier")
    assert "new" not in text(ann_browser.get(f"{URL}fresh/?top={top.pk}"))
    job(ann_browser.user, "failed", "another")
    job(ann_browser.user, "succeeded", "a third")
    assert "2 new at the top" in text(ann_browser.get(f"{URL}fresh/?top={top.pk}"))
    filtered = ann_browser.get(f"{URL}fresh/?status=failed&top={top.pk}")
    assert "1 new at the top" in text(filtered)
    assert f"{URL}?status=failed" in links(filtered)
    monkeypatch.setattr(history_page, "MAX_NEW", 1)
    assert "more than 1 new" in text(ann_browser.get(f"{URL}fresh/?top={top.pk}"))
    assert ann_browser.get(f"{URL}fresh/?top=nonsense").status_code == 200


def test_a_reloaded_page_shows_the_same_jobs(ann_browser: Browser) -> None:
    top = job(ann_browser.user, prompt="a pier")
    assert f"top={top.pk}" in ann_browser.get(URL).content.decode()
    job(ann_browser.user, prompt="a newer quay")
    assert "a newer quay" not in text(ann_browser.get(f"{URL}?top={top.pk}"))
    assert "a newer quay" in text(ann_browser.get(URL))


def shown(browser: Browser, url: str) -> HistoryPage:
    page: HistoryPage = browser.get(url).context["page"]
    return page


def ids(page: HistoryPage) -> list[str]:
    return [card.id for card in page.cards]


@pytest.mark.parametrize("view", ["", "view=gallery"])
def test_the_first_page_is_live_again_after_paging_back(view: str, ann_browser: Browser) -> None:
    write(*[past_job(number, created_by=ann_browser.user) for number in range(history_page.PAGE_SIZE + 10)])
    first = shown(ann_browser, f"{URL}?{view}")
    second = shown(ann_browser, first.next_url)
    assert (second.is_live, second.fresh_url) == (False, "")
    back = shown(ann_browser, second.previous_url)
    assert ids(back) == ids(first)
    assert back.is_live
    assert (back.topic, back.fresh_url, back.here_url) == (first.topic, first.fresh_url, first.here_url)
    assert (back.previous_url, back.next_url) == ("", first.next_url)
    newer = job(ann_browser.user, prompt="a newer quay")
    assert "1 new at the top" in text(ann_browser.get(back.fresh_url))
    assert ids(shown(ann_browser, back.here_url)) == ids(first), "reloaded, it shows the same jobs"
    between = shown(ann_browser, second.previous_url)
    assert not between.is_live, "a newer job precedes it"
    assert ids(shown(ann_browser, between.previous_url))[0] == str(newer.pk)


@pytest.mark.parametrize("sort", ["newest", "oldest", "longest"])
def test_with_less_than_a_page_before_it_the_first_page_is_shown(sort: str, ann_browser: Browser) -> None:
    write(
        *[
            past_job(number, created_by=ann_browser.user, duration=number)
            for number in range(history_page.PAGE_SIZE + 10)
        ]
    )
    first = shown(ann_browser, f"{URL}?sort={sort}")
    few = shown(ann_browser, f"{URL}?sort={sort}&before={ids(first)[3]}")
    assert ids(few) == ids(first)
    assert few.is_live == first.is_live == (sort == "newest")
    assert (few.here_url, few.next_url, few.previous_url) == (first.here_url, first.next_url, "")
    nothing = shown(ann_browser, f"{URL}?sort={sort}&before={ids(first)[0]}")
    assert ids(nothing) == ids(first)


def test_the_number_of_jobs_is_shown(ann_browser: Browser) -> None:
    write(*[past_job(number, created_by=ann_browser.user) for number in range(history_page.PAGE_SIZE + 7)])
    first = shown(ann_browser, f"{URL}?status=succeeded")
    assert first.how_many == "50 on this page, and more"
    last = shown(ann_browser, first.next_url)
    assert last.how_many == "7 on this page"
    assert shown(ann_browser, last.previous_url).how_many == first.how_many
    assert shown(ann_browser, f"{URL}?status=failed").how_many == "0 jobs"


def test_every_page_makes_the_same_number_of_queries(ann_browser: Browser) -> None:
    write(*[past_job(number, created_by=ann_browser.user) for number in range(3 * history_page.PAGE_SIZE)])
    first = shown(ann_browser, URL)
    second = shown(ann_browser, first.next_url)
    costs = []
    for url in (URL, first.next_url, second.previous_url, second.next_url):
        with CaptureQueriesContext(connection) as captured:
            ann_browser.get(url)
        costs.append(len(captured))
    assert len(set(costs)) == 1, costs


# --- exports ----------------------------------------------------------------------------------------------


async def downloaded(browser: Browser, path: str) -> str:
    answer = await browser.aget(path)
    assert answer.status_code == 200
    return b"".join([piece async for piece in answer.streaming_content]).decode("utf-8-sig")


@pytest.mark.django_db(transaction=True)
async def test_the_filtered_jobs_are_exported_as_csv(ann_browser: Browser) -> None:
    await runtime.in_db(
        job, ann_browser.user, "failed", "=cmd|' /C calc'!A0", error={"message": "No.", "code": "x1"}
    )
    await runtime.in_db(job, ann_browser.user, "succeeded", "a pier")
    rows = list(csv.DictReader(io.StringIO(await downloaded(ann_browser, f"{URL}export.csv?status=failed"))))
    [row] = rows
    assert row["prompt"] == "'=cmd|' /C calc'!A0", "no spreadsheet runs it as a formula"
    assert (row["status"], row["person"], row["error_code"], row["error"]) == ("failed", "ann", "x1", "No.")
    assert datetime.fromisoformat(row["started_at"]).tzinfo is not None
    assert float(row["took_seconds"]) >= 0
    event = await runtime.in_reader(Event.objects.get, kind=ActKind.EXPORTED)
    assert (event.actor_id, event.subject_name, event.detail) == (
        ann_browser.user.pk,
        "history",
        {"query": "status=failed", "format": "csv"},
    )


@pytest.mark.django_db(transaction=True)
async def test_all_jobs_are_exported_as_json_lines(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executions.search.jobs import paging

    monkeypatch.setattr(paging, "CHUNK", 4)
    for number in range(10):
        await runtime.in_db(job, ann_browser.user, "queued", f"pier {number} ☂")
    rows = [json.loads(line) for line in (await downloaded(ann_browser, f"{URL}export.jsonl")).splitlines()]
    assert [row["prompt"] for row in rows] == [f"pier {number} ☂" for number in range(9, -1, -1)]
    assert rows[0]["ended_at"] is None


@pytest.mark.django_db(transaction=True)
async def test_exports_require_signing_in(db: Any) -> None:
    assert (await AsyncClient().get(f"{URL}export.csv")).status_code == 302
