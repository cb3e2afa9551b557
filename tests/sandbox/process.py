"""A sandbox in a subprocess, with an HTTP client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import PROCESS_DEADLINE, eventually

KEY = "test-key"
SECOND_KEY = "second-key"
ROOT = Path(__file__).resolve().parents[2]
READY = "sandbox ready at "


class SandboxServer:
    """One sandbox process. ``client`` uses the first API key."""

    def __init__(self, *arguments: str) -> None:
        # Other tests limit the size of media; these tests need the real size.
        environment = {name: value for name, value in os.environ.items() if name != "SANDBOX_LONGEST_SIDE"}
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--api-key", KEY, "--api-key", SECOND_KEY]
        self.process = subprocess.Popen(
            [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(READY), line
        self.url = line.removeprefix(READY).strip()
        self.client = self.client_with(KEY)

    def client_with(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def stop(self) -> int:
        self.client.close()
        self.process.terminate()
        code = self.process.wait(PROCESS_DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        """Kill the process, like a crash."""
        self.client.close()
        self.process.kill()
        self.process.wait(PROCESS_DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def set_faults(self, *faults: dict[str, Any], **rest: Any) -> None:
        response = self.client.put("/sandbox/faults", json={"faults": list(faults), **rest})
        assert response.status_code == 200, response.text

    def start(self, tool: str = "generate-image", **body: Any) -> str:
        response = self.client.post(f"/v1/tools/{tool}", json=body)
        assert response.status_code == 202, response.text
        return response.json()["toolExecutionId"]

    def execution(self, execution_id: str) -> dict[str, Any]:
        response = self.client.get(f"/v1/tools/executions/{execution_id}")
        assert response.status_code == 200, response.text
        return response.json()

    def wait_until_final(self, execution_id: str) -> dict[str, Any]:
        """Wait until the execution is final, and return it."""
        return eventually(
            lambda: self.execution(execution_id),
            lambda seen: seen["status"] in ("succeeded", "failed", "cancelled"),
            seconds=PROCESS_DEADLINE,
        )

    def wait_for_file(self, file_id: str) -> dict[str, Any]:
        """Wait until the file is ready or has failed, and return it with signed URLs."""
        return eventually(
            lambda: self.client.post(f"/v1/files/{file_id}/hydrate").json(),
            lambda file: file["downloadSource"]["status"] != "pending",
        )

    def cancel_all(self) -> None:
        """Cancel all active jobs and wait until they are final, so that they do not affect the next test."""

        def in_flight() -> list[str]:
            executions = self.client.get("/sandbox/truth").json()["executions"]
            return [each["toolExecutionId"] for each in executions if not each["endedAt"]]

        for execution_id in in_flight():
            self.client.post(f"/v1/tools/executions/{execution_id}/cancel")
        eventually(in_flight, lambda found: not found)
        eventually(
            lambda: self.client.get("/sandbox/deliveries").json()["deliveries"],
            lambda found: all(each["attempts"] or each["status"] != "waiting" for each in found),
        )

    def make(self, tool: str = "generate-image", **body: Any) -> dict[str, Any]:
        """Start a job, wait until it has succeeded, and return the execution."""
        execution = self.wait_until_final(self.start(tool, **body))
        assert execution["status"] == "succeeded", execution
        return execution
