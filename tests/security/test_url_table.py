"""Every URL, requested as an anonymous visitor, a member, the owner and an admin: the table is in urls.py."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver, resolve

from executions.policy import Action
from tests.dashboard.browsers import Browser
from tests.security.urls import ROLES, SIGN_IN, TABLE, Line, path_of

pytestmark = pytest.mark.one_engine  # permissions do not depend on the database


def url_names(resolver: URLResolver, space: str = "") -> Iterator[str | None]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from url_names(each, f"{space}{each.namespace}:" if each.namespace else space)
        else:
            yield each.name and f"{space}{each.name}"


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
