"""A page's queries run in its view: templates only render what the view has read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.template import Context
from django.template.base import Template
from django.utils import timezone

from dashboard.history import page as history_page
from dashboard.http.context_processors import Shell
from executions import tools
from executions.copies import requests as copy_requests
from executions.lifecycle import queue_actions
from executions.models import Execution, Invitation, LastVisit, SavedFilter, WebhookDelivery
from executions.team import comments
from executions.team import settings as team_settings
from tests.dashboard.browsers import HTMX, Browser
from tests.factories import planning
from tests.factories.files import file, ready_file
from tests.factories.jobs import job
from tests.security.urls import ADMIN_SITE, TABLE, path_of

pytestmark = pytest.mark.one_engine  # when a query is made does not depend on the database

# The statuses of pages, also of forms with errors. Django's admin site is rendered by Django.
SHOWN = (200, 409, 422)
LINES = [line for line in TABLE if line not in ADMIN_SITE]
VARIANTS = (
    "/executions/?view=gallery",
    "/executions/?status=failed&q=pier",
    "/files/?type=IMAGE",
    "/files/keep/?file=vg_file_harbour",
    "/batches/new/?way=table",
    "/batches/new/?way=files&file=vg_file_harbour",
    "/batches/new/?way=lines&tool=text-to-speech",
)
FRAGMENTS = ("/tools/generate-video-clip/", "/files/")


@contextmanager
def template_queries() -> Iterator[list[str]]:
    """Collects the queries that are made while a template renders, each with the template's name."""
    found: list[str] = []
    names: list[str] = []
    render = Template._render

    def rendering(template: Template, context: Context) -> Any:
        names.append(str(template.name))
        try:
            return render(template, context)
        finally:
            names.pop()

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if names:
            found.append(f"{names[-1]}: {sql[:200]}")
        return execute(sql, params, many, context)

    with pytest.MonkeyPatch.context() as patch, connection.execute_wrapper(note):
        patch.setattr(Template, "_render", rendering)
        yield found


@pytest.fixture
def _rows_of_every_kind(ann_browser: Browser, ben_browser: Browser, ada_browser: Browser) -> None:
    ann, ben = ann_browser.user, ben_browser.user
    for status in ("queued", "pending", "running", "succeeded", "failed", "cancelled", "unconfirmed"):
        job(ann, status, f"a {status} pier", results=2)
        comments.write(job(ben, status, "a pier"), actor=ben, text="@ann see this")
    queue_actions.pause(job(ann, "queued"), actor=ann)
    for media in ("IMAGE", "VIDEO", "AUDIO"):
        file(type=media, display_name=f"a {media}", public_since=timezone.now(), created_by=ben)
    copy_requests.request_copy(ready_file(), ann)
    planning.batch(ann)
    SavedFilter.objects.create(name="Failed", query="status=failed", created_by=ben)
    WebhookDelivery.objects.create(webhook_id="msg_1", outcome="file", body=b"{}")
    WebhookDelivery.objects.create(
        webhook_id="msg_2", outcome="file", body=b"{}", execution=job(ann, "running")
    )
    long_ago = timezone.now() - timedelta(days=1)
    for person in (ann, ben):
        LastVisit.objects.create(person=person, seen_until=long_ago, summary_since=long_ago)
    Invitation.objects.create(
        note="Cy", token_hash="x", created_by=ada_browser.user, expires_at=timezone.now() + timedelta(days=1)
    )


@pytest.mark.usefixtures("_rows_of_every_kind")
def test_templates_make_no_queries(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Django calls context processors while it renders. Theirs are the only queries that remain there.
    for name, value in {"in_flight": 0, "unread": 0, "notices": []}.items():
        monkeypatch.setattr(Shell, name, value)
    # The History then has a second page, and estimates the number of jobs.
    monkeypatch.setattr(history_page, "PAGE_SIZE", 5)
    jobs = [f"/executions/{pk}/" for pk in Execution.objects.values_list("pk", flat=True)]
    forms = [f"/tools/{slug}/" for slug in tools.available()]
    offences = {}

    def request(browser: Browser, path: str, method: str = "get", **options: Any) -> None:
        cache.clear()
        team_settings.clear_cache()
        with template_queries() as found:
            getattr(browser, method)(path, **options)
        if found:
            offences[f"{method} {path} as {browser.user}"] = found

    for line in LINES:
        for browser in (ben_browser, ann_browser):
            if getattr(line, browser.user.username) in SHOWN:
                request(browser, path_of(line, ann_browser.user), line.method)
        if line.ada in SHOWN and line.ann not in SHOWN:
            request(ada_browser, path_of(line, ann_browser.user), line.method)
    for path in (*VARIANTS, *forms, *jobs):
        request(ben_browser, path)
    for path in FRAGMENTS:
        request(ben_browser, path, headers=HTMX)
    deliveries = list(WebhookDelivery.objects.values_list("pk", flat=True))
    request(ada_browser, "/settings/deliveries/replay/", "post", data={"delivery": deliveries})
    assert offences == {}, json.dumps(offences, indent=1)


def test_the_collector_finds_the_queries_of_a_template_only(db: None) -> None:
    template = Template("{{ read }}{{ jobs.count }}")
    with template_queries() as found:
        template.render(Context({"read": Execution.objects.exists(), "jobs": Execution.objects.all()}))
    assert len(found) == 1
    assert "COUNT" in found[0]
