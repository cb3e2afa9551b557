"""The input and output of makers. A maker is a module with ``make(task) -> Media``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Input:
    """An input file of the request. ``path``: its best rendition."""

    file_id: str
    type: str
    path: Path
    display_name: str
    transcript: str | None = None


@dataclass(frozen=True)
class Task:
    """One result to create. ``index``: number of the result within the execution, from 0."""

    tool: str
    request: dict[str, Any]
    index: int
    folder: Path
    inputs: dict[str, Input] = field(default_factory=dict)
    report: Callable[[float], None] = lambda share: None
    """Called with the completed share, 0 to 1."""

    def seed(self, *parts: object) -> int:
        """A random seed that depends only on the parts and the index."""
        text = "\x1f".join(str(part) for part in (*parts, self.index))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])

    def input(self, *names: str) -> Input | None:
        """The file of the first of these fields that is set, or None."""
        for name in names:
            file_id = self.request.get(name)
            if isinstance(file_id, str):
                return self.inputs[file_id]
        return None

    def input_list(self, name: str) -> list[Input]:
        return [self.inputs[file_id] for file_id in self.request.get(name) or []]


@dataclass
class RenditionFile:
    """One rendition on disk. Width and height are in pixels."""

    name: str
    content_type: str
    width: int | None = None
    height: int | None = None


@dataclass
class Media:
    """A finished result. A rendition that is None does not exist for this type."""

    type: str
    display_name: str
    download: RenditionFile
    preview: RenditionFile | None = None
    thumbnail: RenditionFile | None = None
    hls: RenditionFile | None = None
    duration: float | None = None
    transcript: str | None = None
    language: str | None = None
    description: str | None = None
    """The description that analysis will set, for search."""


class MakerError(Exception):
    """The maker cannot create the media. The execution fails with this message and code."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def title(text: str, max_length: int = 60) -> str:
    """A display name from a prompt: its first words, truncated at a word boundary."""
    line = " ".join(text.split())
    if len(line) <= max_length:
        return line[:1].upper() + line[1:]
    cut = line[:max_length].rsplit(" ", 1)[0].rstrip(",.;:-")
    return cut[:1].upper() + cut[1:] + "…"
