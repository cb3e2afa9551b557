"""Requests that another site sends in a person's name are refused and have no effect."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from executions.models import Execution
from tests.dashboard.browsers import HTMX, signed_in, text
from tests.factories.forms import form
from tests.security.test_url_table import path_of
from tests.security.urls import TABLE, Line

pytestmark = pytest.mark.one_engine  # refused requests never reach the database

POSTS = [line for line in TABLE if line.method == "post" and line.name != "receiver"]


@pytest.mark.parametrize("line", POSTS, ids=lambda line: line.path)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["a form", "htmx"])
def test_every_post_requires_a_csrf_token(line: Line, headers: dict[str, str], people: Any) -> None:
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    path = path_of(line, people.ann)
    before = list(Execution.objects.values_list("pk", "version"))
    answer = browser.post(path, form(), headers=headers)
    assert answer.status_code == 403
    assert "This form has expired" in text(answer)
    assert list(Execution.objects.values_list("pk", "version")) == before
    assert browser.get("/").status_code == 200, "still signed in"


def test_every_url_refuses_a_post_without_a_csrf_token(people: Any) -> None:
    """Also URLs that the table requests by GET: a POST gets 403 or 405."""
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    for line in TABLE:
        if line.name != "receiver":
            answer = browser.post(path_of(line, people.ann))
            assert answer.status_code in (403, 405), line.path


def test_signing_in_requires_a_csrf_token(people: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/sign-in/", {"username": "ann", "password": "ann's own password"})
    assert answer.status_code == 403
    assert "sessionid" not in client.cookies


def test_the_csrf_token_of_another_session_is_refused(people: Any) -> None:
    other_client = Client(enforce_csrf_checks=True)
    other_client.get("/sign-in/")
    other_token = other_client.cookies["csrftoken"].value
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    browser.get("/")
    answer = browser.post("/tools/generate-image/", {**form(), "csrfmiddlewaretoken": other_token})
    assert answer.status_code == 403
    assert not Execution.objects.exists()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example"])
def test_a_post_from_another_origin_is_refused_even_with_a_csrf_token(origin: str, people: Any) -> None:
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    browser.get("/")
    data = {**form(), "csrfmiddlewaretoken": browser.client.cookies["csrftoken"].value}
    assert browser.post("/tools/generate-image/", data, headers={"Origin": origin}).status_code == 403
    assert (
        browser.post("/tools/generate-image/", data, headers={"Origin": "http://testserver"}).status_code
        == 303
    )


def test_signing_out_requires_a_post(people: Any) -> None:
    browser = signed_in(people.ann)
    assert browser.get("/sign-out/").status_code == 405
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "testserver@evil.example", "[::1", ""]
)
def test_unknown_host_names_are_refused(host: str, people: Any) -> None:
    browser = signed_in(people.ann)
    assert browser.get("/", headers={"Host": host}).status_code == 400
