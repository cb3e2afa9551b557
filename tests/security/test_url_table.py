"""Every URL, requested as an anonymous visitor, a member, the owner and an admin: the table is in urls.py."""

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
from executions.policy import Action
from executions.team import comments
from tests.dashboard.browsers import Browser
from tests.factories import planning
from tests.factories.files import file
from tests.factories.jobs import job
from tests.security.urls import ROLES, SIGN_IN, TABLE, Line

pytestmark = pytest.mark.one_engine  # permissions do not depend on the database


def url_names(resolver: URLResolver, space: str = "") -> Iterator[str | None]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from url_names(each, f"{space}{each.namespace}:" if each.namespace else space)
        else:
            yield each.name and f"{space}{each.name}"


def path_of(line: Line, owner: Any) -> str:
    """The line's path, filled with things that it creates."""
    url = "https://media.example.org/signed"
    expires = (timezone.now() + timedelta(hours=1)).isoformat()
    source = {"status": "ready", "url": url, "expiresAt": expires}
    things = {
        "job": lambda: job(owner, "running").pk,
        "unconfirmed": lambda: job(owner, "unconfirmed").pk,
        "file": lambda: file(snapshot={"fileId": uuid.uuid4().hex, "previewSource": source, "downloadSource": source}).pk,
        "delivery": lambda: WebhookDelivery.objects.create(webhook_id=uuid.uuid4().hex, outcome="file", body=b"{}").pk,
        "plan": lambda: planning.plan(owner).pk,
        "batch": lambda: planning.batch(owner, held=True).pk,
        "cancellation": lambda: planning.cancel_request(Batch.objects.latest("pk"), actor=owner).pk,
        "comment": lambda: "{0.execution_id}/comments/{0.pk}".format(comments.write(job(owner), actor=owner, text="x")),
        "person": lambda: get_user_model().objects.create(username=uuid.uuid4().hex).pk,
        "view": lambda: SavedFilter.objects.create(name=uuid.uuid4().hex, created_by=owner).pk,
        "selection": lambda: bulk_actions.create_selection([job(owner, "running").pk], Act.CANCEL, actor=owner).pk,
        "own_file": lambda: file(type="VIDEO", created_by=owner).pk,
        "public_file": lambda: file(type="VIDEO", public_since=timezone.now()).pk,
    }  # fmt: skip
    return line.path.format(**{name: make() for name, make in things.items() if "{%s}" % name in line.path})  # noqa: UP031


def test_every_url_has_a_line_in_the_table() -> None:
    existing = set(url_names(get_resolver()))
    assert None not in existing, "every URL has a name"
    listed = {line.name for line in TABLE}
    assert existing - listed == set(), "add a line for each of these to tests/security/urls.py"
    assert listed - existing == set(), "these no longer exist: remove their lines"


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line.method} {line.path}")
def test_each_url_is_open_to_those_allowed_and_refused_to_others(
    line: Line,
    ann_browser: Browser,
    ben_browser: Browser,
    ada_browser: Browser,
    decisions: list[Action],
) -> None:
    clients = {
        "anonymous": Client(),
        "ben": ben_browser.client,
        "ann": ann_browser.client,
        "ada": ada_browser.client,
    }
    for name in ROLES:
        path = path_of(line, ann_browser.user)
        assert resolve(urlsplit(path).path).view_name == line.name, "the line has the name of its path"
        decisions.clear()
        response = getattr(clients[name], line.method)(path)
        expected = getattr(line, name)
        assert response.status_code == expected, f"{line.method} {path} as {name}"
        if name == "anonymous" and expected == SIGN_IN:
            assert response["Location"].startswith("/sign-in/?next="), "not a redirect of the page itself"
        elif line.action:
            assert line.action in decisions, f"{path} asks the policy about {line.action}"


def test_an_unknown_url_is_not_found_for_everyone(ann_browser: Browser) -> None:
    assert Client().get("/no/such/page/").status_code == ann_browser.get("/no/such/page/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/../dashboard/settings.py", "/data/secret.key", "/.git/config", "/static/"]
)
def test_files_of_the_installation_are_not_served(path: str, ann_browser: Browser) -> None:
    assert ann_browser.get(path).status_code == 404
    assert Client().get(path).status_code == 404


def test_a_deactivated_person_is_signed_out(ann_browser: Browser) -> None:
    assert ann_browser.get("/").status_code == 200
    ann_browser.user.is_active = False
    ann_browser.user.save()
    assert ann_browser.get("/").status_code == 302
