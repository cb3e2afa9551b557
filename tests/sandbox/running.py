"""A real sandbox as a subprocess, and a client for it."""

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


class Running:
    """One sandbox process; ``client`` speaks to it with the first key."""

    def __init__(self, *arguments: str) -> None:
        # Other tests have small media made; here they have their true size.
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
        """As a crash would."""
        self.client.close()
        self.process.kill()
        self.process.wait(PROCESS_DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def order(self, *faults: dict[str, Any], **rest: Any) -> None:
        answer = self.client.put("/sandbox/faults", json={"faults": list(faults), **rest})
        assert answer.status_code == 200, answer.text

    def start(self, tool: str = "generate-image", **body: Any) -> str:
        answer = self.client.post(f"/v1/tools/{tool}", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()["toolExecutionId"]

    def execution(self, execution_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/v1/tools/executions/{execution_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def finished(self, execution_id: str) -> dict[str, Any]:
        """The execution once it is final."""
        return eventually(
            lambda: self.execution(execution_id),
            lambda seen: seen["status"] in ("succeeded", "failed", "cancelled"),
            seconds=PROCESS_DEADLINE,
        )

    def wait_for_file(self, file_id: str) -> dict[str, Any]:
        """The file, signed, once it is ready or has failed."""
        return eventually(
            lambda: self.client.post(f"/v1/files/{file_id}/hydrate").json(),
            lambda file: file["downloadSource"]["status"] != "pending",
        )

    def settle(self) -> None:
        """Cancel what is still in flight and wait for its end, so that the next test hears nothing of it."""

        def in_flight() -> list[str]:
            known = self.client.get("/sandbox/truth").json()["executions"]
            return [each["toolExecutionId"] for each in known if not each["endedAt"]]

        for execution_id in in_flight():
            self.client.post(f"/v1/tools/executions/{execution_id}/cancel")
        eventually(in_flight, lambda found: not found)
        eventually(
            lambda: self.client.get("/sandbox/deliveries").json()["deliveries"],
            lambda found: all(each["attempts"] or each["status"] != "waiting" for each in found),
        )

    def make(self, tool: str = "generate-image", **body: Any) -> dict[str, Any]:
        """Start a job and wait for its success."""
        ended = self.finished(self.start(tool, **body))
        assert ended["status"] == "succeeded", ended
        return ended
