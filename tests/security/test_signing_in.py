"""Signing in: no open redirects, no session fixation, and a throttle on guessing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache
from django.test import Client

from dashboard.http import login_throttle
from tests.dashboard.browsers import Browser, text
from tests.markup import values

URL = "/sign-in/"
CORRECT = {"username": "ann", "password": "ann's own password"}
WRONG = {"username": "ann", "password": "a guess"}


@pytest.mark.parametrize(
    "target",
    [
        *(
            "https://evil.example/",
            "//evil.example/",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
        ),
        *(
            "http:evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "/%09/evil.example/..//evil.example\n",
        ),
        *("https://testserver@evil.example/", "http://testserver.evil.example/", " //evil.example"),
        *("\t//evil.example", "ftp://testserver/", "http:///evil.example"),
    ],
)
def test_next_never_leads_to_another_site(target: str, people: Any, client: Client) -> None:
    answer = client.post(URL, {**CORRECT, "next": target})
    assert answer.status_code == 302
    location = answer["Location"]
    assert location == "/" or (location.startswith("/") and not location.startswith(("//", "/\\"))), location
    already_signed_in = client.get(URL, {"next": target})
    assert already_signed_in["Location"].startswith("/")
    assert not already_signed_in["Location"].startswith(("//", "/\\"))


def test_next_leads_to_the_requested_page(people: Any, client: Client) -> None:
    redirect = client.get("/executions/?status=failed")
    assert redirect["Location"] == "/sign-in/?next=/executions/%3Fstatus%3Dfailed"
    assert values(client.get(redirect["Location"]), "next") == ["/executions/?status=failed"]
    answer = client.post(URL, {**CORRECT, "next": "/executions/?status=failed"})
    assert answer["Location"] == "/executions/?status=failed"


@pytest.mark.parametrize(
    ("referer", "target"),
    [
        ("http://testserver/tools/text-to-speech/?from=1#part", "/tools/text-to-speech/?from=1"),
        ("http://testserver", "/"),
        ("https://evil.example/tools/", "/"),
        (None, "/"),
    ],
)
def test_after_a_form_next_leads_to_the_page_that_showed_it(
    referer: str | None, target: str, people: Any, client: Client
) -> None:
    headers = {"Referer": referer} if referer else {}
    redirect = client.post("/tools/generate-image/", {"prompt": "a pier"}, headers=headers)
    assert redirect.status_code == 302
    assert client.post(redirect["Location"], CORRECT)["Location"] == target


def test_a_script_is_not_redirected_onwards_after_a_sign_in_elsewhere(ann_browser: Browser) -> None:
    answer = ann_browser.client.get(URL, {"next": "/executions/"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200


def test_markup_in_next_is_shown_as_text(client: Client, db: None) -> None:
    page = client.get(URL, {"next": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert(1)" not in page


def test_signing_in_creates_a_new_session(people: Any, client: Client) -> None:
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    planted = session.session_key
    client.cookies["sessionid"] = planted
    assert client.post(URL, CORRECT).status_code == 302
    assert client.session.session_key != planted
    attacker = Client()
    attacker.cookies["sessionid"] = planted
    assert attacker.get("/").status_code == 302, "the planted session is not signed in"


def test_a_forged_session_id_is_ignored(people: Any, client: Client) -> None:
    client.cookies["sessionid"] = "a" * 32
    assert client.get("/").status_code == 302
    client.post(URL, CORRECT)
    assert client.session.session_key != "a" * 32


def test_a_session_ends_when_another_person_signs_in(ann_browser: Browser, people: Any) -> None:
    old = ann_browser.client.session.session_key
    ann_browser.post("/sign-out/")
    ann_browser.post(URL, {"username": "ben", "password": "ben's own password"})
    assert ann_browser.client.session[SESSION_KEY] == str(people.ben.pk)
    thief = Client()
    thief.cookies["sessionid"] = old
    assert thief.get("/").status_code == 302


def test_cookies_are_hidden_from_scripts_and_other_sites(people: Any, client: Client) -> None:
    client.get(URL)
    client.post(URL, CORRECT)
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax"), name


def test_a_failed_sign_in_does_not_reveal_whether_the_user_exists(people: Any, client: Client) -> None:
    wrong_password = client.post(URL, WRONG)
    unknown_user = client.post(URL, {"username": "unknown", "password": "a guess"})
    assert wrong_password.status_code == unknown_user.status_code == 422
    assert "Please enter a correct username and password." in text(wrong_password)
    assert text(wrong_password).replace("ann", "") == text(unknown_user).replace("unknown", "")
    assert "a guess" not in wrong_password.content.decode()


# --- guessing ---------------------------------------------------------------------------------------------


def test_only_ten_of_a_thousand_guesses_are_checked(
    people: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    check = type(people.ann).check_password

    def counting(user: Any, password: str) -> bool:
        checked.append(password)
        return check(user, password)

    monkeypatch.setattr(type(people.ann), "check_password", counting)
    answers = [client.post(URL, {**WRONG, "password": f"guess {number}"}) for number in range(1000)]
    codes = [answer.status_code for answer in answers]
    assert codes == [422] * login_throttle.MAX_BY_NAME + [429] * (1000 - login_throttle.MAX_BY_NAME)
    assert len(checked) == login_throttle.MAX_BY_NAME, "no other password was checked"
    assert answers[-1]["Retry-After"] == str(login_throttle.THROTTLE_SECONDS)
    assert "Too many attempts." in text(answers[-1])
    assert client.post(URL, CORRECT).status_code == 429, (
        "the correct password is refused as well, for a while"
    )


def test_the_throttle_ignores_the_case_of_names(people: Any, client: Client) -> None:
    for number in range(login_throttle.MAX_BY_NAME):
        client.post(URL, {**WRONG, "username": "ANN" if number % 2 else "ann"})
    assert client.post(URL, WRONG).status_code == 429


def test_one_ip_address_cannot_try_many_names(people: Any, client: Client) -> None:
    for number in range(login_throttle.MAX_BY_ADDRESS):
        client.post(URL, {"username": f"person {number}", "password": "password1"})
    assert client.post(URL, {"username": "another person", "password": "password1"}).status_code == 429


def test_guessing_does_not_block_other_people(people: Any, client: Client) -> None:
    for _ in range(login_throttle.MAX_BY_NAME):
        client.post(URL, WRONG)
    assert client.post(URL, {"username": "ben", "password": "ben's own password"}).status_code == 302
    other_address = Client(REMOTE_ADDR="192.0.2.7")
    assert other_address.post(URL, CORRECT).status_code == 302, (
        "the owner of the name, from another IP address"
    )


def test_a_correct_password_resets_the_throttle(people: Any, client: Client) -> None:
    for _ in range(3):
        for _ in range(login_throttle.MAX_BY_NAME - 1):
            client.post(URL, WRONG)
        assert client.post(URL, CORRECT).status_code == 302
        client.post("/sign-out/")


def test_the_throttle_ends_after_its_window(people: Any, client: Client) -> None:
    for _ in range(login_throttle.MAX_BY_NAME):
        client.post(URL, WRONG)
    assert client.post(URL, CORRECT).status_code == 429
    cache.clear()  # as the cache does when the window is over
    assert client.post(URL, CORRECT).status_code == 302


def test_tried_names_are_not_stored_in_plain_text(client: Client, db: None, rf: Any) -> None:
    request = rf.post(URL, {"username": "a password typed into the wrong field", "password": "x"})
    assert all("wrong field" not in key for key in login_throttle.FailedAttempts(request).keys)
