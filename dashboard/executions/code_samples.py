"""A job's request as code: for curl, and for VideoGen's official Python client. Samples never contain the key."""

from __future__ import annotations

import json
import pprint
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from executions import tools
from executions.models import Execution

KEY_VARIABLE = "VIDEOGEN_API_KEY"
OFFICIAL_URL = "https://api.videogen.io"
# The official client of the samples, the API version whose field names it uses, and the fields that only it requires.
CLIENT, CLIENT_API_VERSION = "videogen==1.1.8", "1.1"
REQUIRED: dict[str, dict[str, Any]] = {
    "generate-image": {"quality": "STANDARD"},
    "generate-video-clip": {"quality": "STANDARD"},
    "text-to-speech": {"voiceId": None},
}


@dataclass(frozen=True)
class CodeSample:
    id: str
    title: str
    text: str


def code_samples(execution: Execution) -> list[CodeSample]:
    """Samples that start the same job; empty for an external job, whose request is not known."""
    if execution.origin == Execution.Origin.EXTERNAL:
        return []
    tool, body, url = tools.find(execution.tool), execution.request_body, settings.VIDEOGEN_BASE_URL
    samples = [
        CodeSample("curl", "With curl", curl(tool.slug, tool.request(body, settings.VIDEOGEN_API_ERA), url))
    ]
    if tool.slug in tools.TOOLS and tool.is_in(CLIENT_API_VERSION):
        arguments = {**REQUIRED.get(tool.slug, {}), **tool.request(body, CLIENT_API_VERSION)}
        samples.append(CodeSample("python", "With Python", python(tool.slug, arguments, url)))
    return samples


def curl(slug: str, body: Mapping[str, Any], base_url: str) -> str:
    """A command for a shell that has the key in its environment."""
    data = json.dumps(body, indent=2, ensure_ascii=False)
    return " \\\n  ".join(
        [
            f"curl {shlex.quote(f'{base_url}/v1/tools/{slug}')}",
            f'-H "Authorization: Bearer ${KEY_VARIABLE}"',
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(data)}",
        ]
    )


def python(slug: str, body: Mapping[str, Any], base_url: str) -> str:
    """A script that starts the job, polls until it finishes, and prints its status and result ids."""
    arguments = "".join(f"    {snake(name)}={_literal(value)},\n" for name, value in body.items())
    base_url_argument = "" if base_url == OFFICIAL_URL else f", base_url={base_url!r}"
    return (
        f"# pip install {CLIENT}\n"
        "import os\n\n"
        "from videogen import VideoGenApi\n"
        "from videogen.poll_executed_tool import poll_executed_tool\n\n"
        f'client = VideoGenApi(token=os.environ["{KEY_VARIABLE}"]{base_url_argument})\n'
        f"started = client.tools.{method(slug)}(\n{arguments})\n"
        "finished = poll_executed_tool(client, started.tool_execution_id)\n"
        "print(finished.status, [result.file_id for result in finished.results or []])\n"
    )


def method(slug: str) -> str:
    """The official client's method name for a tool: no underscore before a digit."""
    return re.sub(r"_(\d)", r"\1", slug.replace("-", "_"))


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    return pprint.pformat(value, width=96, sort_dicts=False).replace("\n", "\n    ")
