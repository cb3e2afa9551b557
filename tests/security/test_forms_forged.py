"""Requests that another site makes in a person's name: refused, and nothing has happened."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from executions.models import Execution
from tests.dashboard.browsers import HTMX, signed_in, text
from tests.factories.forms import form
from tests.security.test_url_table import path_of
from tests.security.urls import TABLE, Line

POSTS = [line for line in TABLE if line.method == "post" and line.name != "receiver"]


@pytest.mark.parametrize("line", POSTS, ids=lambda line: line.path)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["a form", "htmx"])
def test_no_post_works_without_the_token_of_our_pages(
    line: Line, headers: dict[str, str], people: Any
) -> None:
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    path = path_of(line, people.ann)
    before = list(Execution.objects.values_list("pk", "version"))
    answer = browser.post(path, form(), headers=headers)
    assert answer.status_code == 403
    assert "This form has expired" in text(answer)
    assert list(Execution.objects.values_list("pk", "version")) == before
    assert browser.get("/").status_code == 200, "still signed in"


def test_every_view_that_takes_a_post_asks_for_the_token(people: Any) -> None:
    """Not only those of the table: a POST to any page of it is refused without one, or not taken at all."""
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    for line in TABLE:
        if line.name != "receiver":
            answer = browser.post(path_of(line, people.ann))
            assert answer.status_code in (403, 405), line.path


def test_signing_in_needs_the_token_as_well(people: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/sign-in/", {"username": "ann", "password": "ann's own password"})
    assert answer.status_code == 403
    assert "sessionid" not in client.cookies


def test_a_token_of_somebody_else_is_none(people: Any) -> None:
    stranger = Client(enforce_csrf_checks=True)
    stranger.get("/sign-in/")
    theirs = stranger.cookies["csrftoken"].value
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    browser.get("/")
    answer = browser.post("/tools/generate-image/", {**form(), "csrfmiddlewaretoken": theirs})
    assert answer.status_code == 403
    assert not Execution.objects.exists()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example"])
def test_a_post_from_another_origin_is_refused_even_with_the_token(origin: str, people: Any) -> None:
    browser = signed_in(people.ann, enforce_csrf_checks=True)
    browser.get("/")
    sent = {**form(), "csrfmiddlewaretoken": browser.client.cookies["csrftoken"].value}
    assert browser.post("/tools/generate-image/", sent, headers={"Origin": origin}).status_code == 403
    assert (
        browser.post("/tools/generate-image/", sent, headers={"Origin": "http://testserver"}).status_code
        == 303
    )


def test_signing_out_is_a_post(people: Any) -> None:
    browser = signed_in(people.ann)
    assert browser.get("/sign-out/").status_code == 405
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "testserver@evil.example", "[::1", ""]
)
def test_another_host_name_is_not_answered(host: str, people: Any) -> None:
    browser = signed_in(people.ann)
    assert browser.get("/", headers={"Host": host}).status_code == 400
