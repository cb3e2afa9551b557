"""VideoGen's tools: one declarative entry per tool, from which forms, filters and pages are derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from django.conf import settings

from executions.tools.catalogue import ALL
from executions.tools.rules import AccountChoices, Invalid
from executions.tools.tool import AUDIO, IMAGE, VIDEO, Tool
from executions.tools.validation import Speech, ValidatedBody, ValidationResult, already_validated, validate

TOOLS: dict[str, Tool] = {tool.slug: tool for tool in ALL}
BY_TYPE: dict[str, Tool] = {tool.tool_type: tool for tool in ALL}


def available() -> Mapping[str, Tool]:
    """The tools of the configured API version by slug, with that version's fields."""
    return _for_api_version(settings.VIDEOGEN_API_ERA)


@cache
def _for_api_version(api_version: str) -> Mapping[str, Tool]:
    # Cached because every card lists the tools that accept its results, and the catalogue is constant.
    return MappingProxyType(
        {slug: tool.for_api_version(api_version) for slug, tool in TOOLS.items() if tool.is_in(api_version)}
    )


@dataclass(frozen=True)
class ToolGroup:
    """The tools that make one type of media."""

    media: str
    label: str
    icon: str
    tools: tuple[Tool, ...]


GROUPS = ((IMAGE, "Image", "image"), (VIDEO, "Video", "film"), (AUDIO, "Audio", "audio-lines"))


def groups() -> list[ToolGroup]:
    """The available tools, grouped by the media they make."""
    tools = available().values()
    return [
        ToolGroup(media, label, icon, tuple(tool for tool in tools if tool.media == media))
        for media, label, icon in GROUPS
    ]


def accepting(media: str) -> list[Tool]:
    """The available tools that accept a file of this type."""
    return [tool for tool in available().values() if tool.field_for(media)]


def find(slug: str) -> Tool:
    """The tool with that slug; for an unknown slug, a placeholder without fields that is labelled by the slug."""
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
    "AccountChoices",
    "Invalid",
    "Speech",
    "Tool",
    "ToolGroup",
    "ValidatedBody",
    "ValidationResult",
    "accepting",
    "already_validated",
    "available",
    "find",
    "groups",
    "validate",
]
