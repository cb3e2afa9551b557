"""Jobs of the soak: the studio's forms, filled in for every tool."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from executions import tools
from executions.tools import Tool
from executions.tools import field_types as spec

ACTOR = "vg_enti_Noor000000000000000000"
# Other tools need the files that these produce.
FIRST = ("generate-image", "text-to-speech", "generate-video-clip")
# A video keeps the sandbox's processor busy for seconds; an image or a recording costs little.
WEIGHTS = {"VIDEO": 0.15, "IMAGE": 3, "AUDIO": 4}


@dataclass
class PlannedJob:
    """A job to start. `key` is the form's idempotency key: sending the form again starts no second job."""

    tool: Tool
    prompt: str
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def form(self, files: dict[str, str], voice: str) -> dict[str, Any]:
        sent: dict[str, Any] = {"key": self.key}
        for each in self.tool.fields:
            value = self._value(each, files, voice)
            if value not in (None, "", []):
                sent[each.name] = value
        return sent

    def _value(self, each: spec.Field, files: dict[str, str], voice: str) -> Any:
        match each:
            case spec.Text() if each.name in ("prompt", "ttsText"):
                return self.prompt
            case spec.Number():
                return str(each.initial or (each.low if each.required else ""))
            case spec.Choice():
                return each.initial
            case spec.Shape():
                return "1:1"
            case spec.VoicePicker():
                return voice
            case spec.Ids() if each.required:
                return ACTOR
            case spec.Files() if each.required:
                return [files[media] for media in each.media if media in files][:1]
        return None


def video_tools() -> list[str]:
    """Slugs of the tools that make videos, without the one whose clip other tools need."""
    return [
        tool.slug for tool in tools.available().values() if tool.media == "VIDEO" and tool.slug not in FIRST
    ]


def planned_jobs(count: int, chance: random.Random) -> list[PlannedJob]:
    """`count` jobs, covering every tool. The first ones make the files that other tools need."""
    offered = tools.available()
    slugs = list(offered)
    weights = [WEIGHTS[offered[slug].media] for slug in slugs]
    chosen = [*FIRST, *chance.sample(slugs, len(slugs))]
    chosen += chance.choices(slugs, weights, k=max(0, count - len(chosen)))
    return [PlannedJob(offered[slug], _prompt(place, chance)) for place, slug in enumerate(chosen[:count])]


def _prompt(place: int, chance: random.Random) -> str:
    # A third of the jobs fail in the sandbox, which costs it no work. The first ones must succeed.
    fails = place >= len(FIRST) and chance.random() < 0.33
    return f"a lighthouse {uuid.uuid4().hex}" + (" [fail]" if fails else "")
