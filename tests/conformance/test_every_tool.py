"""Every tool of every API version, from its form to a result, with a sandbox that accepts only the names of that version."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient

from executions import tools
from executions.account import presenters, voices
from executions.core import runtime
from executions.models import Execution, File
from executions.sync.reconciler import Reconciler
from executions.tools import api_versions
from executions.tools import field_types as spec
from sandbox.presenters import PRESENTERS
from tests.conftest import READY, ROOT
from tests.factories.jobs import reload
from tests.markup import every, plain_text
from tests.waiting import PROCESS_DEADLINE, until

# Long, since creating videos is slow on a busy machine.
TOOL_TIMEOUT = 400.0  # seconds for one tool
FIRST = ("generate-image", "text-to-speech", "generate-video-clip")  # inputs of the other tools
CREATIVE = {"prompt": "a lighthouse at dusk", "ttsText": "Good evening from the lighthouse."}


@pytest.fixture(params=api_versions.API_VERSIONS)
def strict_account(request: Any, tmp_path: Path, transactional_db: None, settings: Any) -> Iterator[str]:
    """The domain and the dashboard set up for one API version, with a sandbox that rejects the names of the others."""
    api_version = request.param
    settings.VIDEOGEN_API_ERA = api_version
    key = f"api-version-{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--api-key", key, "--speed", "1000"]
    options = ["--with-parent", "--data-dir", str(tmp_path), "--strict-api-version", api_version]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix(READY).strip()
    runtime.use_account(key, url)
    yield api_version
    process.terminate()
    process.wait(PROCESS_DEADLINE)
    process.stdout.close()


def form_of(tool: tools.Tool, files: dict[str, str]) -> dict[str, Any]:
    """Fill in the form: every basic or required field, with one of the offered values."""
    form: dict[str, Any] = {"key": uuid.uuid4().hex}
    for field in tool.fields:
        value: Any = ""
        match field:
            case spec.Text() if field.name in CREATIVE:
                value = CREATIVE[field.name]
            case spec.Number() if field.name == "durationSeconds":
                # The default duration takes five times as long to create, without testing more.
                value = str(field.low)
            case spec.Number():
                value = str(field.initial or (field.low if field.required else ""))
            case spec.Choice():
                value = field.initial
            case spec.Shape():
                value = "1:1"
            case spec.VoicePicker():
                value = voices.usable()[0][0].voice_id
            case spec.PresenterPicker():
                value = presenters.usable()[0][0].presenter_id
            case spec.Ids() if field.required:
                value = PRESENTERS[0].entity_id
            case spec.Files() if not field.advanced:
                value = [files[media] for media in field.media or ("IMAGE",) if media in files][:1]
        form[field.name] = value
    return form


def latest_execution() -> Execution:
    return Execution.objects.order_by("-id").first()  # type: ignore[return-value]


def result_file(execution: Execution) -> File | None:
    result = execution.results.select_related("file").first()
    return result.file if result else None


@asynccontextmanager
async def reconciling() -> AsyncIterator[None]:
    """The jobs are sent and polled: there are no webhooks in this test."""
    reconciler = Reconciler()
    with reconciler.listening():
        working = asyncio.create_task(reconciler.run())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await reconciler.drain(PROCESS_DEADLINE)


async def start(browser: AsyncClient, slug: str, files: dict[str, str]) -> Execution:
    form = await runtime.in_db(form_of, tools.available()[slug], files)
    response = await browser.post(f"/tools/{slug}/", form, headers={"HX-Request": "true"})
    problems = [plain_text(node) for node in every(response, ".field-problem, .tool-form-refusal")]
    assert response.status_code == 200, f"{slug}: {problems}"
    execution = await runtime.in_db(latest_execution)
    assert execution.tool == slug
    return execution


async def wait_for_file(started: Execution) -> File:
    """The file that the job has made, once it is final. Fails if it has another type than the tool promises."""

    async def final() -> Execution | None:
        execution = await runtime.in_db(reload, started)
        return execution if execution.is_terminal else None

    execution = await until(final, seconds=TOOL_TIMEOUT)
    assert execution is not None
    assert execution.status == "succeeded", f"{execution.tool}: {execution.error}"
    file = await runtime.in_db(result_file, execution)
    assert file is not None, execution.tool
    assert file.type == tools.available()[execution.tool].media, execution.tool
    return file


@pytest.mark.slow
async def test_every_tool_creates_its_media_type(strict_account: str, django_user_model: Any) -> None:
    runtime.attach(asyncio.get_running_loop())
    user = await runtime.in_db(django_user_model.objects.create_user, "ann", password="ann's own password")
    browser = AsyncClient()
    await browser.aforce_login(user)
    files: dict[str, str] = {}
    try:
        async with reconciling():
            for execution in [await start(browser, slug, files) for slug in FIRST]:
                file = await wait_for_file(execution)
                files[file.type] = file.remote_id
            others = [slug for slug in tools.available() if slug not in FIRST]
            for execution in [await start(browser, slug, files) for slug in others]:
                await wait_for_file(execution)
    finally:
        await runtime.close_client()
        runtime.detach()
