"""Security headers and markup of pages: no inline code, nothing from other hosts, no framing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.dashboard.browsers import HTMX, Browser
from tests.factories.files import file
from tests.factories.jobs import job
from tests.markup import attribute, one

DIRECTIVES = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def policy(answer: HttpResponse) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


class Inline(HTMLParser):
    """Collects inline scripts, styles and handlers, which a strict policy forbids, and URLs of other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.foreign: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self._in_script = tag == "script"
        if tag == "style":
            self.found.append("<style>")
        for name, value in attributes:
            if name.startswith(("on", "hx-on", "hx-vals", "hx-vars")) or name == "style":
                self.found.append(f"<{tag} {name}={value!r}>")
            if name in ("src", "href", "action", "formaction", "poster") and value is not None:
                if value.strip().lower().startswith(("javascript:", "data:", "vbscript:")):
                    self.found.append(f"<{tag} {name}={value!r}>")
                if re.match(r"\s*(?:[a-z]+:)?//", value):
                    self.foreign.append(f"<{tag} {name}={value!r}>")
        if tag == "base" or (tag == "meta" and (values.get("http-equiv") or "").lower() == "refresh"):
            self.found.append(f"<{tag}>")

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.found.append(f"<script>{data[:80]}")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False


def inline(answer: HttpResponse) -> Inline:
    reader = Inline()
    reader.feed(answer.content.decode())
    return reader


def pages(ann_browser: Browser, ada_browser: Browser) -> dict[str, HttpResponse]:
    """Every kind of page, with every kind of job on it."""
    jobs = {
        status: job(ann_browser.user, status, f"a {status} pier", results=2)
        for status in (
            "queued",
            "pending",
            "running",
            "succeeded",
            "failed",
            "cancelled",
            "unconfirmed",
            "refused",
        )
    }
    for tool in ("text-to-speech", "generate-video-clip"):
        job(ann_browser.user, "succeeded", "a horn", tool=tool)
    for media in ("IMAGE", "VIDEO", "AUDIO"):
        file(type=media, display_name=f"a {media}")
    from executions import tools

    found = {
        "studio": ann_browser.get("/"),
        "history": ann_browser.get("/executions/"),
        "admin": ada_browser.get("/executions/"),
    }
    found |= {f"job {status}": ann_browser.get(f"/executions/{each.pk}/") for status, each in jobs.items()}
    found |= {f"tool {slug}": ann_browser.get(f"/tools/{slug}/") for slug in tools.available()}
    found |= {
        "composer": ann_browser.get("/tools/generate-image/", headers=HTMX),
        "board": ann_browser.get("/board/"),
        "picker": ann_browser.get("/files/pick/?tool=upscale-image&field=imageFileId"),
        "wrong form": ann_browser.post("/tools/generate-image/", {"prompt": ""}),
        "sign-in": Client().get("/sign-in/"),
        "wrong sign-in": Client().post("/sign-in/", {"username": "ann", "password": "x"}),
        "not found": ann_browser.get("/nothing/here/"),
        "refused": Client(enforce_csrf_checks=True).post("/sign-in/"),
        "bad request": ann_browser.get("/", headers={"Host": "evil.example"}),
    }
    return found


_fetched: dict[str, HttpResponse] = {}


@pytest.fixture
def every_page(ann_browser: Browser, ada_browser: Browser) -> dict[str, HttpResponse]:
    """All pages, fetched once because the tests only read them."""
    if not _fetched:
        _fetched.update(pages(ann_browser, ada_browser))
    return _fetched


def test_every_page_has_a_content_security_policy(every_page: dict[str, HttpResponse]) -> None:
    for name, answer in every_page.items():
        directives = policy(answer)
        for directive, value in DIRECTIVES.items():
            assert directives[directive] == value, f"{name}: {directive}"
        for directive, value in directives.items():
            assert "unsafe" not in value, f"{name}: {directive}"
            if directive not in ("img-src", "media-src"):
                assert value in ("'self'", "'none'", "'self' blob:"), f"{name}: {directive} {value}"


def test_no_page_has_inline_scripts_styles_or_handlers(every_page: dict[str, HttpResponse]) -> None:
    assert {name: found for name, answer in every_page.items() if (found := inline(answer).found)} == {}


def test_no_page_loads_from_another_host(every_page: dict[str, HttpResponse]) -> None:
    assert {name: found for name, answer in every_page.items() if (found := inline(answer).foreign)} == {}


def test_no_page_contains_a_key_or_a_secret(every_page: dict[str, HttpResponse], settings: Any) -> None:
    secrets = [
        settings.VIDEOGEN_API_KEY,
        settings.SECRET_KEY,
        *settings.VIDEOGEN_WEBHOOK_SECRETS,
        *(secret.removeprefix("whsec_") for secret in settings.VIDEOGEN_WEBHOOK_SECRETS),
    ]
    assert all(len(secret) > 10 for secret in secrets)
    for name, answer in every_page.items():
        text = answer.content.decode() + str(answer.headers)
        assert [secret for secret in secrets if secret in text] == [], name


def test_no_page_can_be_framed_or_sends_a_referrer_to_other_sites(
    every_page: dict[str, HttpResponse],
) -> None:
    for name, answer in every_page.items():
        assert answer["X-Frame-Options"] == "DENY", name
        assert answer["X-Content-Type-Options"] == "nosniff", name
        assert answer["Referrer-Policy"] == "same-origin", name
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", name


def test_htmx_neither_evaluates_code_nor_runs_loaded_scripts(ann_browser: Browser) -> None:
    config = json.loads(attribute(one(ann_browser.get("/"), "meta[name=htmx-config]"), "content"))
    assert config["allowEval"] is False
    assert config["allowScriptTags"] is False
    assert config["includeIndicatorStyles"] is False
    assert config["historyCacheSize"] == 0, "no page stays in the browser after signing out"


@pytest.mark.parametrize(
    "path", ["/static/js/lib/live.js", "/static/css/base.css", "/static/img/favicon.svg"]
)
def test_static_files_are_served_with_nosniff(path: str, client: Client, db: None) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_detector_finds_inline_code_and_other_hosts() -> None:
    reader = Inline()
    reader.feed(
        "<p onclick='x()' style='a:b'></p><style>a{}</style><script>x()</script><a href=' javascript:x()'>"
        "<script src='//evil.example/x.js'></script><base href='/'><b hx-on:click='x()'></b>"
    )
    assert len(reader.found) == 7
    assert len(reader.foreign) == 1


@pytest.mark.processes
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_cookies_are_secure_if_the_public_url_is_https(scheme: str, tmp_path: Any) -> None:
    import subprocess
    import sys

    from tests.dashboard.serving import ROOT, environment

    code = (
        "from django.conf import settings as s; "
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0, s.CSRF_TRUSTED_ORIGINS)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(
            tmp_path,
            PUBLIC_URL=f"{scheme}://rushes.example.org/",
            DJANGO_SETTINGS_MODULE="dashboard.settings",
        ),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    secure = scheme == "https"
    assert output.strip() == f"{secure} {secure} {secure} ['{scheme}://rushes.example.org']"
