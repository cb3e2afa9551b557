"""Signing in: no open redirect, no session fixation, and a brake on guessing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache
from django.test import Client

from dashboard.http import login_throttle
from tests.dashboard.browsers import Browser, text

URL = "/sign-in/"
RIGHT = {"username": "ann", "password": "ann's own password"}
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
    answer = client.post(URL, {**RIGHT, "next": target})
    assert answer.status_code == 302
    location = answer["Location"]
    assert location == "/" or (location.startswith("/") and not location.startswith(("//", "/\\"))), location
    signed_in_already = client.get(URL, {"next": target})
    assert signed_in_already["Location"].startswith("/")
    assert not signed_in_already["Location"].startswith(("//", "/\\"))


def test_next_leads_where_one_wanted_to_go(people: Any, client: Client) -> None:
    asked = client.get("/executions/?status=failed")
    assert asked["Location"] == "/sign-in/?next=/executions/%3Fstatus%3Dfailed"
    page = client.get(asked["Location"]).content.decode()
    assert 'name="next" value="/executions/?status=failed"' in page
    answer = client.post(URL, {**RIGHT, "next": "/executions/?status=failed"})
    assert answer["Location"] == "/executions/?status=failed"


def test_markup_in_next_stays_text(client: Client, db: None) -> None:
    page = client.get(URL, {"next": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert(1)" not in page


def test_signing_in_makes_a_new_session(people: Any, client: Client) -> None:
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    planted = session.session_key
    client.cookies["sessionid"] = planted
    assert client.post(URL, RIGHT).status_code == 302
    assert client.session.session_key != planted
    attacker = Client()
    attacker.cookies["sessionid"] = planted
    assert attacker.get("/").status_code == 302, "the planted session is worth nothing"


def test_a_session_that_is_made_up_is_none(people: Any, client: Client) -> None:
    client.cookies["sessionid"] = "a" * 32
    assert client.get("/").status_code == 302
    client.post(URL, RIGHT)
    assert client.session.session_key != "a" * 32


def test_a_persons_session_does_not_outlive_another_sign_in(ann_browser: Browser, people: Any) -> None:
    old = ann_browser.client.session.session_key
    ann_browser.post("/sign-out/")
    ann_browser.post(URL, {"username": "ben", "password": "ben's own password"})
    assert ann_browser.client.session[SESSION_KEY] == str(people.ben.pk)
    thief = Client()
    thief.cookies["sessionid"] = old
    assert thief.get("/").status_code == 302


def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(people: Any, client: Client) -> None:
    client.get(URL)
    client.post(URL, RIGHT)
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax"), name


def test_what_is_wrong_is_not_said_in_detail(people: Any, client: Client) -> None:
    wrong_password = client.post(URL, WRONG)
    nobody = client.post(URL, {"username": "nobody", "password": "a guess"})
    assert wrong_password.status_code == nobody.status_code == 422
    assert "Please enter a correct username and password." in text(wrong_password)
    assert text(wrong_password).replace("ann", "") == text(nobody).replace("nobody", "")
    assert "a guess" not in wrong_password.content.decode()


# --- guessing ---------------------------------------------------------------------------------------------


def test_a_thousand_guesses_are_ten(people: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    check = type(people.ann).check_password

    def counting(user: Any, password: str) -> bool:
        asked.append(password)
        return check(user, password)

    monkeypatch.setattr(type(people.ann), "check_password", counting)
    answers = [client.post(URL, {**WRONG, "password": f"guess {number}"}) for number in range(1000)]
    codes = [answer.status_code for answer in answers]
    assert codes == [422] * login_throttle.BY_NAME + [429] * (1000 - login_throttle.BY_NAME)
    assert len(asked) == login_throttle.BY_NAME, "no further password was even looked at"
    assert answers[-1]["Retry-After"] == str(login_throttle.WINDOW)
    assert "Too many attempts." in text(answers[-1])
    assert client.post(URL, RIGHT).status_code == 429, "not even the right one, for a while"


def test_capital_letters_are_no_new_name(people: Any, client: Client) -> None:
    for number in range(login_throttle.BY_NAME):
        client.post(URL, {**WRONG, "username": "ANN" if number % 2 else "ann"})
    assert client.post(URL, WRONG).status_code == 429


def test_one_address_does_not_try_all_names(people: Any, client: Client) -> None:
    for number in range(login_throttle.BY_ADDRESS):
        client.post(URL, {"username": f"person {number}", "password": "password1"})
    assert client.post(URL, {"username": "yet another", "password": "password1"}).status_code == 429


def test_others_are_not_shut_out_with_the_one_who_guesses(people: Any, client: Client) -> None:
    for _ in range(login_throttle.BY_NAME):
        client.post(URL, WRONG)
    assert client.post(URL, {"username": "ben", "password": "ben's own password"}).status_code == 302
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.post(URL, RIGHT).status_code == 302, "the owner of the name, from elsewhere"


def test_the_right_password_forgets_earlier_mistakes(people: Any, client: Client) -> None:
    for _ in range(3):
        for _ in range(login_throttle.BY_NAME - 1):
            client.post(URL, WRONG)
        assert client.post(URL, RIGHT).status_code == 302
        client.post("/sign-out/")


def test_the_brake_is_let_go_after_its_time(people: Any, client: Client) -> None:
    for _ in range(login_throttle.BY_NAME):
        client.post(URL, WRONG)
    assert client.post(URL, RIGHT).status_code == 429
    cache.clear()  # what the cache does by itself when the window is over
    assert client.post(URL, RIGHT).status_code == 302


def test_the_names_that_were_tried_are_not_kept_in_plain(client: Client, db: None, rf: Any) -> None:
    request = rf.post(URL, {"username": "a password typed into the wrong field", "password": "x"})
    assert all("wrong field" not in key for key in login_throttle.Guesses(request).keys)
