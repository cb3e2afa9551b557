"""What a maker is given and what it hands back. A maker is a module with ``make(order) -> Made``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Input:
    """A file that the request named: where its best rendition lies."""

    file_id: str
    type: str
    path: Path
    display_name: str
    transcript: str | None = None


@dataclass(frozen=True)
class Order:
    """One result to make. ``index`` counts the alternatives of one execution from 0."""

    tool: str
    request: dict[str, Any]
    index: int
    folder: Path
    inputs: dict[str, Input] = field(default_factory=dict)
    report: Callable[[float], None] = lambda share: None
    """Called with the share that is done, 0 to 1."""

    def seed(self, *parts: object) -> int:
        """A number that depends on the parts and the alternative, the same on every run."""
        text = "\x1f".join(str(part) for part in (*parts, self.index))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])

    def input(self, *names: str) -> Input | None:
        """The file named by the first of these fields that was given."""
        for name in names:
            file_id = self.request.get(name)
            if isinstance(file_id, str):
                return self.inputs[file_id]
        return None

    def input_list(self, name: str) -> list[Input]:
        return [self.inputs[file_id] for file_id in self.request.get(name) or []]


@dataclass
class Form:
    """One rendition on disk. Sides are in pixels."""

    name: str
    content_type: str
    width: int | None = None
    height: int | None = None


@dataclass
class Made:
    """A finished result. A form that is None is skipped: pointless for this type."""

    type: str
    display_name: str
    download: Form
    preview: Form | None = None
    thumbnail: Form | None = None
    hls: Form | None = None
    duration: float | None = None
    transcript: str | None = None
    language: str | None = None
    description: str | None = None
    """What analysis will say about the file; search looks at it."""


class CannotMake(Exception):
    """The maker's own refusal; the execution fails with this message and code."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def title(text: str, longest: int = 60) -> str:
    """A display name from a prompt: its first words, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line[:1].upper() + line[1:]
    cut = line[:longest].rsplit(" ", 1)[0].rstrip(",.;:-")
    return cut[:1].upper() + cut[1:] + "…"
