"""Code samples of a job's request: they run unmodified against the sandbox, and never contain the key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dashboard.executions import code_samples
from executions import tools
from executions.models import Execution
from tests.conftest import SandboxProcess

KEY = "vg-live-the-secret-key"
PROMPT = 'it\'s a "lighthouse" $HOME `id` \\ 100 % \n新しい'
BODIES: dict[str, dict[str, Any]] = {
    "generate-image": {"prompt": PROMPT, "numResults": 2, "aspectRatio": {"width": 16, "height": 9}, "quality": "LOW"},
    "text-to-speech": {"ttsText": PROMPT, "voiceSpeed": 1.1, "pronunciationReplacements": [{"original": "a", "replacement": "b"}]},
    "generate-sound-effect": {"prompt": "a door", "durationSeconds": 2.5},
    "generate-music": {"prompt": "slow"},
}  # fmt: skip


def samples(slug: str, body: dict[str, Any], settings: Any, url: str) -> dict[str, str]:
    settings.VIDEOGEN_BASE_URL, settings.VIDEOGEN_API_KEY = url, KEY
    found = code_samples.code_samples(Execution(tool=slug, request_body=body))
    assert all(KEY not in each.text for each in found)
    return {each.id: each.text for each in found}


def run(command: list[str], text: str, sandbox: SandboxProcess, folder: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "VIDEOGEN_API_KEY": sandbox.api_key, "HOME": str(folder)}
    done = subprocess.run(
        [*command], input=text, capture_output=True, text=True, env=environment, cwd=folder, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("slug", BODIES)
def test_python_starts_the_same_job(
    slug: str, settings: Any, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    body = BODIES[slug]
    if slug == "text-to-speech":
        voices = sandbox.call("GET", "/v1/resources/tts-voices").json()
        body = {**body, "voiceId": next(iter(voices.values()))[0]["voiceId"]}
    code = samples(slug, body, settings, sandbox.url)["python"]
    output = run([sys.executable, "-"], code, sandbox, tmp_path)
    assert output.startswith("succeeded ['vg_file_"), output
    executions = sandbox.control("GET", "truth")["executions"]
    name, text = next((name, value) for name, value in body.items() if isinstance(value, str))
    assert any(each["request"].get(name) == text for each in executions)


def test_curl_sends_the_same_body(settings: Any, sandbox: SandboxProcess, tmp_path: Path) -> None:
    command = samples("generate-image", BODIES["generate-image"], settings, sandbox.url)["curl"]
    answer = json.loads(run(["bash", "-s"], command.replace("curl ", "curl -sS ", 1), sandbox, tmp_path))
    execution = sandbox.call("GET", f"/v1/tools/executions/{answer['toolExecutionId']}").json()
    assert execution["status"] in ("pending", "running", "succeeded")
    truth = sandbox.control("GET", "truth")["executions"]
    assert any(each["request"].get("prompt") == PROMPT for each in truth)


def test_every_tool_has_a_method_in_the_official_client() -> None:
    from videogen.tools.client import ToolsClient

    for tool in tools.TOOLS.values():
        if tool.is_in(code_samples.CLIENT_API_VERSION):
            assert hasattr(ToolsClient, code_samples.method(tool.slug)), tool.slug


def test_an_external_job_has_no_samples() -> None:
    assert code_samples.code_samples(Execution(tool="generate-image", origin="elsewhere")) == []
