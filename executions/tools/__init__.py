"""What VideoGen can make: a declarative entry per tool, from which forms, filters and pages are derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from django.conf import settings

from executions.tools.catalogue import ALL
from executions.tools.rules import Invalid, Offers
from executions.tools.tool import AUDIO, IMAGE, VIDEO, Tool
from executions.tools.validation import Speech, Validated, ValidatedBody, accepted_before, validate

TOOLS: dict[str, Tool] = {tool.slug: tool for tool in ALL}
BY_TYPE: dict[str, Tool] = {tool.tool_type: tool for tool in ALL}


def offered() -> Mapping[str, Tool]:
    """The tools that the configured era of the API has, as it has them."""
    return _for_api_version(settings.VIDEOGEN_API_ERA)


@cache
def _for_api_version(api_version: str) -> Mapping[str, Tool]:
    # Every card asks what its results can be used in: the catalogue does not change meanwhile.
    return MappingProxyType(
        {slug: tool.for_api_version(api_version) for slug, tool in TOOLS.items() if tool.is_in(api_version)}
    )


@dataclass(frozen=True)
class Shelf:
    """The tools that make one kind of media."""

    media: str
    label: str
    icon: str
    tools: tuple[Tool, ...]


SHELVES = ((IMAGE, "Image", "image"), (VIDEO, "Video", "film"), (AUDIO, "Audio", "audio-lines"))


def shelves() -> list[Shelf]:
    """The offered tools by what they make."""
    here = offered().values()
    return [
        Shelf(media, label, icon, tuple(tool for tool in here if tool.media == media))
        for media, label, icon in SHELVES
    ]


def taking(media: str) -> list[Tool]:
    """The tools that can work from a file of this type."""
    return [tool for tool in offered().values() if tool.takes(media)]


def find(slug: str) -> Tool:
    """The tool of that slug; one that the catalogue does not know is shown neutrally, under its own name."""
    return TOOLS.get(slug) or Tool(
        slug=slug,
        tool_type=slug.upper().replace("-", "_"),
        label=slug.replace("-", " ").capitalize(),
        noun=slug.replace("-", " "),
        icon="circle-question-mark",
        media="",
        fields=(),
        subject="prompt",
    )


__all__ = [
    "AUDIO",
    "BY_TYPE",
    "IMAGE",
    "TOOLS",
    "VIDEO",
    "Invalid",
    "Offers",
    "Shelf",
    "Speech",
    "Tool",
    "Validated",
    "ValidatedBody",
    "accepted_before",
    "find",
    "offered",
    "shelves",
    "taking",
    "validate",
]
