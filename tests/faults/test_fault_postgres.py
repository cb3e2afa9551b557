"""A PostgreSQL crash and restart under load: row 56 of docs/reliability.md. The test starts its own server."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from benchmarks.cluster import Cluster, programs
from soak.site import PASSWORD, Site
from tests import steps
from tests.dashboard.serving import csrf_token
from tests.waiting import eventually

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="needs PostgreSQL"
    ),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    assert programs() is not None, "DATABASE_URL is set, but the PostgreSQL server programs are not installed"
    with Cluster() as cluster, Site(tmp_path, cluster) as site:
        yield site


@pytest.fixture
def people(site: Site) -> Iterator[list[httpx.Client]]:
    """One person signed in at each of the two servers."""
    with ExitStack() as opened:
        yield [_signed_in(opened, server.url) for server in site.servers]


def _signed_in(opened: ExitStack, url: str) -> httpx.Client:
    browser = opened.enter_context(httpx.Client(base_url=url, timeout=30, trust_env=False))
    browser.get("/sign-in/").raise_for_status()
    form = {"username": "soak", "password": PASSWORD, **csrf_token(browser)}
    assert browser.post("/sign-in/", data=form).status_code == 302
    return browser


def start(browser: httpx.Client, prompt: str, key: str) -> int:
    form = {**steps.form(prompt), "key": key, "quality": "STANDARD", **csrf_token(browser)}
    return browser.post("/tools/generate-image/", data=form).status_code


@pytest.mark.slow
def test_a_postgresql_restart_is_reported_and_survived(site: Site, people: list[httpx.Client]) -> None:
    """Fault 56: while it is down pages say so and nothing is lost; afterwards every process works, and no job is doubled."""
    keys = {steps.unique_prompt() + " [fail]": uuid.uuid4().hex for _ in range(6)}
    before, during = list(keys)[:3], list(keys)[3:]
    for number, prompt in enumerate(before):
        assert start(people[number % 2], prompt, keys[prompt]) == 303

    assert site.cluster is not None
    site.cluster.stop("immediate")
    # Each request waits for a connection until the pool's time-out, so the test makes only a few.
    page = people[0].get("/executions/")
    assert page.status_code == 503
    assert "The database cannot be reached" in page.text
    assert start(people[0], during[0], keys[during[0]]) == 503
    for browser in people:
        assert browser.get("/readyz").status_code == 503
        assert browser.get("/healthz").status_code == 200, "the process works and needs no restart"
    site.cluster.start()

    for browser in people:
        eventually(lambda browser=browser: browser.get("/readyz").status_code == 200)
    # After a restart that no request has noticed, every pooled connection is dead.
    site.cluster.stop("immediate")
    site.cluster.start()
    for browser in people:
        assert {browser.get("/executions/").status_code for _ in range(25)} == {200}
    for number, prompt in enumerate(keys):
        assert start(people[number % 2], prompt, keys[prompt]) == 303, "the same forms again"

    with psycopg.connect(site.cluster.url(), autocommit=True) as database:

        def outcomes() -> dict[str, tuple[str, int]]:
            rows = database.execute(
                "SELECT prompt, status, (SELECT count(*) FROM executions_event e WHERE e.execution_id = j.id"
                " AND e.to_status IN ('succeeded', 'failed', 'cancelled') AND e.from_status <> e.to_status)"
                " FROM executions_execution j WHERE ended_at IS NOT NULL"
            )
            return {prompt: (status, count) for prompt, status, count in rows}

        eventually(lambda: outcomes().keys() == keys.keys(), seconds=300)
        assert set(outcomes().values()) == {("failed", 1)}
        total = database.execute("SELECT count(*) FROM executions_execution").fetchone()
    assert total == (6,)
    accepted = site.control("GET", "truth")["executions"]
    assert sorted(each["request"]["prompt"] for each in accepted) == sorted(keys)
    for program in site.programs:
        assert program.end() == 0
        assert not re.search(r"Task was destroyed|never retrieved", program.log.read_text())
    for browser in people:
        browser.close()
