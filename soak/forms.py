"""The studio's forms as a person fills them in, tool by tool."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from executions import tools
from executions.tools import Tool
from executions.tools import fields as spec

ACTOR = "vg_enti_Noor000000000000000000"
# What the other tools work from comes first.
FIRST = ("generate-image", "text-to-speech", "generate-video-clip")
# Making films keeps the stand-in's processor busy for seconds; a picture or a recording hardly does.
WEIGHTS = {"VIDEO": 0.15, "IMAGE": 3, "AUDIO": 4}


@dataclass
class Wish:
    """A job that somebody wants. `key` is the form's own: however often it is sent, it starts one job."""

    tool: Tool
    words: str
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
                return self.words
            case spec.Number():
                return str(each.initial or (each.low if each.required else ""))
            case spec.Choice():
                return each.initial
            case spec.Shape():
                return "1:1"
            case spec.Voice():
                return voice
            case spec.Ids() if each.required:
                return ACTOR
            case spec.Files() if each.required:
                return [files[media] for media in each.media if media in files][:1]
        return None


def films() -> list[str]:
    """The tools that make films, but for the one whose clip others work from."""
    return [
        tool.slug for tool in tools.offered().values() if tool.media == "VIDEO" and tool.slug not in FIRST
    ]


def wishes(number: int, chance: random.Random) -> list[Wish]:
    """So many, of every tool. The first ones make the files that others work from."""
    offered = tools.offered()
    slugs = list(offered)
    weights = [WEIGHTS[offered[slug].media] for slug in slugs]
    chosen = [*FIRST, *chance.sample(slugs, len(slugs))]
    chosen += chance.choices(slugs, weights, k=max(0, number - len(chosen)))
    return [Wish(offered[slug], _words(place, chance)) for place, slug in enumerate(chosen[:number])]


def _words(place: int, chance: random.Random) -> str:
    # A third is to fail there, which costs it no work; what others work from has to succeed.
    fails = place >= len(FIRST) and chance.random() < 0.33
    return f"a lighthouse {uuid.uuid4().hex}" + (" [fail]" if fails else "")
