"""Pages make as many queries for few rows as for many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import Input, LastVisit
from executions.team import settings as team_settings
from tests.dashboard.browsers import Browser
from tests.factories.files import file
from tests.factories.jobs import job

# Both exceed one page, so that paging links exist in both cases.
ROWS_BEFORE, ROWS_AFTER = 9, 12
PAGES = (
    "/",
    "/board/",
    "/tools/upscale-image/",
    "/executions/",
    "/executions/?status=succeeded",
    "/executions/?view=gallery&q=pier",
    "/executions/?sort=longest&tool=generate-image&status=-failed",
    "/files/pick/?tool=upscale-image&field=imageFileId",
)


def queries(act: Callable[[], Any]) -> list[str]:
    """The queries without caches, because cached values of a few seconds depend on the speed of the machine."""
    team_settings.clear_cache()
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = act()
    assert answer.status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def fill(owners: list[Any], count: int) -> None:
    for number in range(count):
        owner = owners[number % len(owners)]
        for status in ("queued", "running", "succeeded", "failed", "unconfirmed", "cancelled before"):
            execution = job(owner, status, f"pier {number}", results=3)
            if number % 2:
                Input.objects.create(execution=execution, file=file(type="IMAGE"), field="imageFileIds")


def test_queries_do_not_grow_with_rows(
    ann_browser: Browser, ben_browser: Browser, subtests: pytest.Subtests
) -> None:
    owners = [ann_browser.user, ben_browser.user]
    long_ago = timezone.now() - timedelta(days=1)
    # Jobs that finished since then are listed in the studio in both cases.
    LastVisit.objects.create(person=ann_browser.user, seen_until=long_ago, summary_since=long_ago)
    fill(owners, ROWS_BEFORE)
    for url in PAGES:
        ann_browser.get(url)
    few = {url: queries(lambda url=url: ann_browser.get(url)) for url in PAGES}
    fill(owners, ROWS_AFTER - ROWS_BEFORE)
    for url in PAGES:
        with subtests.test(url=url):
            many = queries(lambda url=url: ann_browser.get(url))
            assert len(few[url]) == len(many), "\n".join(many)
            # Twenty, and two for values that a previous page would have cached.
            assert len(many) <= 22, "\n".join(many)


def test_queries_of_a_jobs_page_do_not_grow_with_results(ann_browser: Browser, ben_browser: Browser) -> None:
    small, large = (
        job(ben_browser.user, "succeeded", results=1),
        job(ben_browser.user, "succeeded", results=40),
    )
    for number in range(10):
        Input.objects.create(execution=large, file=file(type="IMAGE"), field="imageFileIds", position=number)
    ann_browser.get(f"/executions/{small.pk}/")
    few = queries(lambda: ann_browser.get(f"/executions/{small.pk}/"))
    many = queries(lambda: ann_browser.get(f"/executions/{large.pk}/"))
    assert len(few) == len(many), "\n".join(many)
    assert len(many) <= 14, "\n".join(many)
