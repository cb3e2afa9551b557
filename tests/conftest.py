"""Fixtures of several test folders: a small team of people, a real sandbox, and access to the runtime."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import settings as hypothesis_settings

from tests import migrated
from tests.dashboard.browsers import Browser, close_connections, signed_in
from tests.factories.deliveries import SECRET
from tests.factories.people import People, team
from tests.waiting import PROCESS_DEADLINE

if TYPE_CHECKING:
    from executions.policy import Action

ROOT = Path(__file__).resolve().parent.parent
READY = "sandbox ready at "

# `ci` tries the same examples every time, `fast` only some of them; `deep` tries more, at random:
# pytest --hypothesis-profile=deep
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis_settings.register_profile("fast", hypothesis_settings.get_profile("ci"), max_examples=20)
hypothesis_settings.register_profile("deep", deadline=None, max_examples=2000)
hypothesis_settings.load_profile("ci")


@cache
def plain_http() -> httpx.Client:
    """One client for all sandboxes on this machine: a new client per request would read all certificates each time."""
    return httpx.Client(timeout=10, trust_env=False, verify=False)


def pytest_sessionfinish() -> None:
    if plain_http.cache_info().currsize:
        plain_http().close()


@dataclass(frozen=True)
class SandboxProcess:
    """A sandbox in a separate process, reached over HTTP."""

    url: str
    api_key: str

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """Call its control interface (faults, truth, deliveries). Returns the JSON, or None without a body."""
        answer = plain_http().request(method, f"{self.url}/sandbox/{path}", json=json)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """Call its API as a program outside Rushes would."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return plain_http().request(method, f"{self.url}{path}", json=json, headers=headers)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The tests' database starts as a copy of a migrated one: migrating it finds nothing to do."""
    from django.db import connection

    test = connection.settings_dict["TEST"]
    if connection.vendor == "postgresql":
        test["TEMPLATE"] = migrated.postgres_template()
    else:
        migrated.replace(Path(test["NAME"]))


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool) -> bool:
    """Keep the SQLite file that was copied. Its folder is deleted after the run."""
    from django.db import connection

    return django_db_keepdb or connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One sandbox for the session, at twenty times normal speed."""
    key = "tests-only-key"
    folder = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--api-key", key, "--speed", "20"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN")}
    process = subprocess.Popen(
        [*command, "--with-parent", "--data-dir", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(READY), line
    yield SandboxProcess(line.removeprefix(READY).strip(), key)
    process.terminate()
    process.wait(PROCESS_DEADLINE)
    process.stdout.close()


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> Iterator[SandboxProcess]:
    """The sandbox without faults; those that a test sets are removed afterwards."""
    sandbox_process.control("DELETE", "faults")
    yield sandbox_process
    sandbox_process.control("DELETE", "faults")


@pytest.fixture
def people(db: None) -> People:
    """Two members of one team, and an admin."""
    return team()


@pytest.fixture
def ann(people: People) -> Any:
    """A member."""
    return people.ann


@pytest.fixture
def ben(people: People) -> Any:
    """Another member."""
    return people.ben


@pytest.fixture
def ada(people: People) -> Any:
    """An admin."""
    return people.ada


@pytest.fixture
def ann_browser(ann: Any) -> Browser:
    """Ann, signed in."""
    return signed_in(ann)


@pytest.fixture
def ben_browser(ben: Any) -> Browser:
    """Ben, signed in."""
    return signed_in(ben)


@pytest.fixture
def ada_browser(ada: Any) -> Browser:
    """Ada, signed in."""
    return signed_in(ada)


@pytest.fixture
def videogen_unreachable(settings: Any) -> None:
    """Without the `account` fixture VideoGen cannot be reached: a closed port, never the real service."""
    settings.VIDEOGEN_API_KEY = "tests-only-unknown-key"
    settings.VIDEOGEN_BASE_URL = "http://127.0.0.1:9"


@pytest.fixture
def copies_folder(settings: Any, tmp_path: Path) -> None:
    """Copies of files are stored in a folder that belongs to the test alone."""
    folder = tmp_path / "copies"
    folder.mkdir()
    settings.KEEP_FOLDER, settings.COPY_PARTS = folder, folder / ".parts"
    copies = {**settings.STORAGES["copies"], "OPTIONS": {"location": folder, "allow_overwrite": True}}
    settings.STORAGES = {**settings.STORAGES, "copies": copies}


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> list[Action]:
    """The actions that the policy was asked about, in order."""
    from executions import policy

    recorded: list[Action] = []
    can = policy.can

    def recording(actor: Any, action: Action, thing: Any = None) -> bool:
        recorded.append(action)
        return can(actor, action, thing)

    monkeypatch.setattr(policy, "can", recording)
    return recorded


@pytest.fixture
def known_secrets(settings: Any) -> None:
    """Deliveries are signed with SECRET."""
    settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture
def no_retry_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed reads are retried at once; tests/executions/videogen tests the pauses of the client."""
    monkeypatch.setattr("executions.videogen.client.RETRY_DELAYS", (0.0, 0.0))


@pytest.fixture
def no_open_connections() -> Iterator[None]:
    """Close the database connection of the thread that runs sync views for async tests."""
    yield
    close_connections()


@pytest.fixture
async def account(sandbox: SandboxProcess, transactional_db: None) -> AsyncIterator[SandboxProcess]:
    """The domain calls the sandbox from the test's event loop, with its own database threads."""
    from executions.core import runtime, sync_bridge

    runtime.attach(asyncio.get_running_loop())
    runtime.use_account(sandbox.api_key, sandbox.url)
    yield sandbox
    await sync_bridge.drain(10)  # what a view started may still be calling VideoGen
    await runtime.close_client()
    runtime.detach()


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Clear caches and other state of the process after each test."""
    yield
    if "executions.core.runtime" in sys.modules:
        from django.core.cache import cache

        from executions.core import runtime
        from executions.limits import poll_budget, rate_limits
        from executions.team import settings as team_settings
        from executions.webhooks import signing_secrets

        poll_budget.shared.remaining = 0.0
        rate_limits.forget()
        runtime.detach()
        runtime.close_database_threads()
        signing_secrets.clear_cache()
        team_settings.clear_cache()
        cache.clear()
