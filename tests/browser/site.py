"""The product as people run it: `manage.py serve` with its sandbox, on a port that a restart keeps."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import SandboxProcess
from tests.dashboard.serving import ROOT, Serving, csrf_token, environment
from tests.markup import value

# Patterns of calls for the sandbox's faults: "METHOD /path".
STARTS, CANCELS = "POST /v1/tools/*", "POST /v1/tools/executions/*/cancel"


class Site:
    """One `serve` at a time in one data folder. It is stopped by SIGTERM, and must stop cleanly."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._open = ExitStack()
        self._clients: dict[str, httpx.Client] = {}
        self._serving = Serving(data_dir, SANDBOX_SPEED="4")
        self.url = self._serving.url
        found = re.search(r"Sign in as (\w+) or (\w+), password (.+)", self._serving.output)
        assert found, self._serving.output
        self.people, self.password = found.groups()[:2], found[3]

    @property
    def port(self) -> int:
        return self._serving.port

    @property
    def sandbox(self) -> SandboxProcess:
        """The control interface of the sandbox; only `serve` knows its API key."""
        return SandboxProcess(f"http://127.0.0.1:{(self.data_dir / 'sandbox.port').read_text()}", "")

    def stop(self) -> None:
        code = self._serving.stop(signal.SIGTERM)
        assert code == 0, f"exit code {code}: {self._serving.errors}"
        assert "Stopped." in self._serving.output

    def restart(self) -> None:
        self._serving = Serving(self.data_dir, "--port", str(self.port), SANDBOX_SPEED="4")

    def end(self) -> None:
        self._open.close()
        self._serving.end()

    # --- what other people do -------------------------------------------------------------------------------

    def start(
        self, *prompts: str, name: str = "member", tool: str = "generate-image", **fields: Any
    ) -> list[str]:
        """Start jobs as another person would, without a browser. Returns their prompts."""
        field = {"text-to-speech": "ttsText"}.get(tool, "prompt")
        client = self._client(name)
        for prompt in prompts:
            page = client.get(f"/tools/{tool}/").text
            form = {"key": value(page, "key"), "numResults": 1, field: prompt, **fields, **csrf_token(client)}
            answer = client.post(f"/tools/{tool}/", data=form)
            assert answer.status_code == 303, answer.text
        return list(prompts)

    def _client(self, name: str) -> httpx.Client:
        """A signed-in client; the session survives a restart."""
        if name not in self._clients:
            self._clients[name] = self._open.enter_context(self._serving.signed_in(name))
        return self._clients[name]

    def sandbox_jobs(self, prompt: str) -> list[dict[str, Any]]:
        """The jobs with this prompt that the sandbox accepted."""
        executions = self.sandbox.control("GET", "truth")["executions"]
        return [each for each in executions if prompt in json.dumps(each["request"], ensure_ascii=False)]

    def manage(self, code: str) -> None:
        """Run Python code with `manage.py shell` while the server runs."""
        subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            cwd=ROOT,
            env=environment(self.data_dir),
            check=True,
            timeout=60,
        )


def hold_jobs(sandbox: SandboxProcess, *faults: dict[str, object]) -> None:
    """Jobs that start from now on run until `release_jobs`, and progress slowly. Replaces the sandbox's faults."""
    set_faults(sandbox, {"kind": "job", "seconds": 60, "hold": True}, *faults)


def release_jobs(sandbox: SandboxProcess) -> None:
    """Let held jobs finish. Removes all faults."""
    set_faults(sandbox)


def set_faults(sandbox: SandboxProcess, *faults: dict[str, object]) -> None:
    """Replace the sandbox's faults by these."""
    sandbox.control("PUT", "faults", {"faults": list(faults)})
