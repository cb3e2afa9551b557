"""The API key, signing secrets and passwords never appear in a log, an error page or a traceback."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from django.views.debug import ExceptionReporter, get_exception_reporter_filter

from dashboard.config.logging import MASK, Formatter
from dashboard.studio import views as studio_views
from tests.dashboard.browsers import Browser
from tests.dashboard.serving import Serving, csrf_token, manage
from tests.factories.deliveries import OTHER_SECRET, URL, event, signed
from tests.factories.forms import form
from tests.waiting import eventually

KEY = "an-api-key-that-must-stay-hidden"
SECRET = "whsec_YSBzZWNyZXQgdGhhdCBub2JvZHkgbWF5IHNlZSBldmVy"
SIGNING_KEY = "a-session-signing-key-that-must-stay-hidden"
REDIS = "redis://:a-redis-password@127.0.0.1:9/0"
PASSWORD = "a password of a person that must stay hidden"
HIDDEN = (KEY, SECRET, SECRET.removeprefix("whsec_"), SIGNING_KEY, "a-redis-password", PASSWORD)


def leaks(text: str) -> list[str]:
    return [secret for secret in HIDDEN if secret in text]


@pytest.fixture
def _configured(settings: Any) -> None:
    settings.VIDEOGEN_API_KEY = KEY
    settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]
    settings.SECRET_KEY = SIGNING_KEY
    settings.ENCRYPTION_KEYS = [SIGNING_KEY]
    settings.REDIS_URL = REDIS
    settings.CHANNEL_LAYERS = {**settings.CHANNEL_LAYERS, "spare": {"CONFIG": {"hosts": [REDIS]}}}


@pytest.mark.usefixtures("_configured")
def test_log_lines_mask_secrets() -> None:
    try:
        raise RuntimeError(f"Authorization: Bearer {KEY} and {SECRET} and {SIGNING_KEY}")
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "with %s", (KEY,), sys.exc_info())
    line = Formatter().format(record)
    assert leaks(line) == []
    assert line.count(MASK) >= 4, "in the message and in the traceback"
    assert "RuntimeError" in line


@pytest.mark.usefixtures("_configured")
def test_djangos_error_report_hides_secrets(rf: Any) -> None:
    """The DEBUG page and the mailed report: settings, request, and local variables."""
    request = rf.post(
        "/sign-in/", {"username": "ann", "password": PASSWORD}, headers={"Authorization": f"Bearer {KEY}"}
    )
    try:
        raise RuntimeError("a bug")
    except RuntimeError:
        reporter = ExceptionReporter(request, *sys.exc_info())
    settings_shown = str(get_exception_reporter_filter(request).get_safe_settings())
    assert leaks(settings_shown) == []
    assert "ALLOWED_HOSTS" in settings_shown
    assert [secret for secret in leaks(reporter.get_traceback_html()) if secret not in (KEY, PASSWORD)] == []


@pytest.mark.usefixtures("_configured")
def test_an_error_page_reveals_nothing(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError(f"the key is {KEY}")

    monkeypatch.setattr(studio_views.job_card, "cards_for", broken)
    ann_browser.client.raise_request_exception = False
    answer = ann_browser.get("/")
    assert answer.status_code == 500
    page = answer.content.decode()
    assert leaks(page) == []
    assert "RuntimeError" not in page
    assert "Something went wrong" in page
    assert str(Path(__file__).parents[2]) not in page, "the installation path is not shown"


@pytest.mark.usefixtures("_configured")
@pytest.mark.parametrize(
    "path", ["/", "/executions/", "/tools/text-to-speech/", "/metrics", "/readyz", "/sign-in/", "/nothing/"]
)
def test_no_response_contains_a_secret(path: str, ada_browser: Browser) -> None:
    for browser in (ada_browser.client, Client()):
        answer = browser.get(path)
        assert leaks(answer.content.decode() + str(answer.headers)) == []


@pytest.mark.processes
@pytest.mark.slow
def test_a_failing_server_logs_no_secrets(tmp_path: Path) -> None:
    """An API key, an unreachable VideoGen, DEBUG logging, and failing requests."""
    data_dir = tmp_path / "data"
    account = {
        "VIDEOGEN_API_KEY": KEY,
        "VIDEOGEN_BASE_URL": "http://127.0.0.1:9",
        "VIDEOGEN_WEBHOOK_SECRET": SECRET,
        "SECRET_KEY": SIGNING_KEY,
    }
    assert manage(data_dir, "migrate", "-v", "0", **account) == (0, "")
    person = {
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DJANGO_SUPERUSER_USERNAME": "ann",
        "DJANGO_SUPERUSER_EMAIL": "ann@example.org",
    }
    code, output = manage(data_dir, "createsuperuser", "--noinput", **account, **person)
    assert code == 0, output
    server = Serving(data_dir, **account, LOG_LEVEL="DEBUG")
    try:
        assert "Sign in as" not in server.output, "demo people exist only with the sandbox"
        with server.client() as client:
            client.get("/sign-in/")
            signed_in = client.post(
                "/sign-in/", data={"username": "ann", "password": PASSWORD, **csrf_token(client)}
            )
            assert signed_in.status_code == 302
            pages = client.get("/").text + client.get("/tools/text-to-speech/").text
            client.post("/tools/generate-image/", data={**form(), **csrf_token(client)})
            body = event("vg_exec_1")
            valid = {**signed(body, secret=SECRET), "content-type": "application/json"}
            assert client.post(URL, content=body, headers=valid).status_code == 200
            forged = {**signed(body, secret=OTHER_SECRET), "content-type": "application/json"}
            assert client.post(URL, content=body, headers=forged).status_code == 401
            client.get("/?key=" + "x" * 10, headers={"Host": "evil.example"})
            pages += client.get("/executions/").text
        eventually(lambda: "VideoGen cannot be reached" in server.errors)
        httpx.get(f"{server.url}/readyz", trust_env=False)
    finally:
        server.end()
    assert leaks(pages) == []
    assert leaks(server.output + server.errors) == []
    assert b"an-api-key-that" not in b"".join(file.read_bytes() for file in data_dir.glob("*.sqlite3*"))
