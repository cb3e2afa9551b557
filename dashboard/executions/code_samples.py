"""A job's request as others would send it: with curl, and with VideoGen's official Python client. Never with the key."""

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

KEY = "VIDEOGEN_API_KEY"
OFFICIAL_URL = "https://api.videogen.io"
# The official client that the words below are for, the API version whose names it uses, and what it demands that others leave open.
CLIENT, CLIENT_API_VERSION = "videogen==1.1.8", "1.1"
DEMANDED: dict[str, dict[str, Any]] = {
    "generate-image": {"quality": "STANDARD"},
    "generate-video-clip": {"quality": "STANDARD"},
    "text-to-speech": {"voiceId": None},
}


@dataclass(frozen=True)
class Snippet:
    id: str
    title: str
    text: str


def of(execution: Execution) -> list[Snippet]:
    """The job's request; empty where what was asked for is not known."""
    if execution.origin == Execution.Origin.EXTERNAL:
        return []
    tool, body, url = tools.find(execution.tool), execution.request_body, settings.VIDEOGEN_BASE_URL
    found = [
        Snippet("curl", "With curl", curl(tool.slug, tool.request(body, settings.VIDEOGEN_API_ERA), url))
    ]
    if tool.slug in tools.TOOLS and tool.is_in(CLIENT_API_VERSION):
        asked = {**DEMANDED.get(tool.slug, {}), **tool.request(body, CLIENT_API_VERSION)}
        found.append(Snippet("python", "With Python", python(tool.slug, asked, url)))
    return found


def curl(slug: str, body: Mapping[str, Any], base_url: str) -> str:
    """For a shell that has the key in its environment."""
    asked = json.dumps(body, indent=2, ensure_ascii=False)
    return " \\\n  ".join(
        [
            f"curl {shlex.quote(f'{base_url}/v1/tools/{slug}')}",
            f'-H "Authorization: Bearer ${KEY}"',
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(asked)}",
        ]
    )


def python(slug: str, body: Mapping[str, Any], base_url: str) -> str:
    """Start it, wait for its end, and name what came out."""
    arguments = "".join(f"    {snake(name)}={_literal(value)},\n" for name, value in body.items())
    elsewhere = "" if base_url == OFFICIAL_URL else f", base_url={base_url!r}"
    return (
        f"# pip install {CLIENT}\n"
        "import os\n\n"
        "from videogen import VideoGenApi\n"
        "from videogen.poll_executed_tool import poll_executed_tool\n\n"
        f'client = VideoGenApi(token=os.environ["{KEY}"]{elsewhere})\n'
        f"started = client.tools.{method(slug)}(\n{arguments})\n"
        "ended = poll_executed_tool(client, started.tool_execution_id)\n"
        "print(ended.status, [result.file_id for result in ended.results or []])\n"
    )


def method(slug: str) -> str:
    """What the official client calls the tool: a digit stands close to the word before it."""
    return re.sub(r"_(\d)", r"\1", slug.replace("-", "_"))


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    return pprint.pformat(value, width=96, sort_dicts=False).replace("\n", "\n    ")
