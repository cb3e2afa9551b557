"""Every address, as anonymous, member, owner and admin: as the table in urls.py says."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLResolver, get_resolver, resolve
from django.utils import timezone

from executions.batches import bulk_actions
from executions.models import Batch, SavedFilter, WebhookDelivery
from executions.models.selection import Act
from executions.team import comments
from tests.dashboard.browsers import Browser
from tests.factories import planning
from tests.factories.files import file
from tests.factories.jobs import job
from tests.security.urls import SIGN_IN, TABLE, Line


def names(resolver: URLResolver, space: str = "") -> Iterator[str | None]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from names(each, f"{space}{each.namespace}:" if each.namespace else space)
        else:
            yield each.name and f"{space}{each.name}"


def placed(line: Line, owner: Any) -> str:
    """The line's path, with things that are there."""
    url = "https://media.example.org/signed"
    expires = (timezone.now() + timedelta(hours=1)).isoformat()
    source = {"status": "ready", "url": url, "expiresAt": expires}
    things = {
        "job": lambda: job(owner, "running").pk,
        "lost": lambda: job(owner, "unconfirmed").pk,
        "file": lambda: file(snapshot={"fileId": uuid.uuid4().hex, "previewSource": source, "downloadSource": source}).pk,
        "delivery": lambda: WebhookDelivery.objects.create(webhook_id=uuid.uuid4().hex, outcome="file", body=b"{}").pk,
        "plan": lambda: planning.plan(owner).pk,
        "batch": lambda: planning.batch(owner, held=True).pk,
        "wish": lambda: planning.wish(Batch.objects.latest("pk"), actor=owner).pk,
        "spoken": lambda: "{0.execution_id}/comments/{0.pk}".format(comments.write(job(owner), actor=owner, text="x")),
        "person": lambda: get_user_model().objects.create(username=uuid.uuid4().hex).pk,
        "view": lambda: SavedFilter.objects.create(name=uuid.uuid4().hex, created_by=owner).pk,
        "selection": lambda: bulk_actions.choose([job(owner, "running").pk], Act.CANCEL, actor=owner).pk,
        "mine": lambda: file(type="VIDEO", created_by=owner).pk,
        "open": lambda: file(type="VIDEO", public_since=timezone.now()).pk,
    }  # fmt: skip
    return line.path.format(**{name: make() for name, make in things.items() if "{%s}" % name in line.path})  # noqa: UP031


def test_every_url_has_its_line_in_the_table() -> None:
    there = set(names(get_resolver()))
    assert None not in there, "every URL has a name"
    listed = {line.name for line in TABLE}
    assert there - listed == set(), "write a line for each of these in tests/security/urls.py"
    assert listed - there == set(), "these are no longer there: take their lines out"


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line.method} {line.path}")
def test_who_may(line: Line, ann_browser: Browser, ben_browser: Browser, ada_browser: Browser) -> None:
    who = {
        "anonymous": Client(),
        "ben": ben_browser.client,
        "ann": ann_browser.client,
        "ada": ada_browser.client,
    }
    for name, client in who.items():
        path = placed(line, ann_browser.user)
        assert resolve(urlsplit(path).path).view_name == line.name, "the line's name is that of its path"
        answer = getattr(client, line.method)(path)
        wanted = getattr(line, name)
        assert answer.status_code == wanted, f"{line.method} {path} as {name}"
        if name == "anonymous" and wanted == SIGN_IN:
            assert answer["Location"].startswith("/sign-in/?next="), "not the thing itself"


def test_an_address_that_is_not_there_tells_nobody_more(ann_browser: Browser) -> None:
    assert Client().get("/no/such/page/").status_code == ann_browser.get("/no/such/page/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/../dashboard/settings.py", "/data/secret.key", "/.git/config", "/static/"]
)
def test_what_must_not_be_served_is_not_there(path: str, ann_browser: Browser) -> None:
    assert ann_browser.get(path).status_code == 404
    assert Client().get(path).status_code == 404


def test_a_person_who_was_shut_out_is_signed_out(ann_browser: Browser) -> None:
    assert ann_browser.get("/").status_code == 200
    ann_browser.user.is_active = False
    ann_browser.user.save()
    assert ann_browser.get("/").status_code == 302
