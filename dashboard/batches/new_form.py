"""The form that a batch begins with: what to run, on what, and the options that all of it shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.forms.boundfield import BoundField
from django.http import QueryDict

from dashboard.batches import csv_import as tables
from dashboard.forms.batch_rows import Checked, Library, Problem, Raw, check
from dashboard.forms.tool_form import Composer
from executions import tools
from executions.batches.service import MOST_ROWS
from executions.models import File
from executions.tools import Tool
from executions.tools import fields as spec

LINES, TABLE, FILES = "lines", "table", "files"
# Files to choose from on the page itself; a library page may send any.
OFFERED = 48
# What is not an option that all rows share, and is long.
OWN = ("lines", "csv", "file", "name", "tool", "way", "csrfmiddlewaretoken")


@dataclass(frozen=True)
class Way:
    """One way to say what the jobs are."""

    key: str
    label: str
    icon: str
    noun: str
    """What a row is called when something is wrong with it."""


WAYS = {
    LINES: Way(LINES, "One prompt a line", "list", "Line"),
    TABLE: Way(TABLE, "A table", "table", "Row"),
    FILES: Way(FILES, "Many files", "images", "File"),
}


class NewBatch:
    """What was typed, or what a link brought (`way`, `tool`, `file`). `is_valid` checks every row."""

    def __init__(
        self, data: QueryDict, upload: UploadedFile[bytes] | None = None, *, bound: bool = False
    ) -> None:
        self.data = data
        self.upload = upload
        self.bound = bound
        self.checked = Checked()
        self.table_error = ""
        wanted = data.get("way", "")
        self.way = WAYS[wanted] if wanted in WAYS else WAYS[FILES if data.getlist("file") else LINES]
        offered = self.tools
        slug = data.get("tool", "")
        self.tool: Tool | None = next((tool for tool in offered if tool.slug == slug), None) or (
            offered[0] if offered else None
        )
        self.csv_text, self.upload_error = self._csv_text()

    # --- what can be chosen -------------------------------------------------------------------------------

    @property
    def ways(self) -> Sequence[Way]:
        return tuple(WAYS.values())

    @cached_property
    def tools(self) -> list[Tool]:
        """The tools that fit the way, and the files if there are any."""
        offered = list(tools.available().values())
        if self.way.key == LINES:
            return [tool for tool in offered if tool.subject]
        if self.way.key == FILES:
            media = {file.type for file in self.files}
            return [tool for tool in offered if media and all(tool.field_for(each) for each in media)]
        return offered

    @cached_property
    def library(self) -> Library:
        return Library(self.data.getlist("file")[: MOST_ROWS + 1])

    @cached_property
    def files(self) -> list[File]:
        """The chosen files that there are, each once, in the order of the choice."""
        found = (self.library.by_name.get(name) for name in self.data.getlist("file"))
        return list(dict.fromkeys(file for file in found if file is not None))

    @property
    def others(self) -> list[File]:
        """Files that could be chosen as well."""
        newest = File.objects.in_library().newest_first().exclude(pk__in=[file.pk for file in self.files])
        return list(newest.exclude(type="")[:OFFERED])

    @property
    def columns(self) -> list[tables.Column]:
        return tables.columns(self.tool) if self.tool else []

    # --- what was typed -----------------------------------------------------------------------------------

    @property
    def lines(self) -> str:
        return self.data.get("lines", "")

    @property
    def name(self) -> str:
        return self.data.get("name", "").replace("\x00", "").strip()[:200]

    def named(self, count: int) -> str:
        """What the person calls it, or what it is."""
        if self.name:
            return self.name
        if self.upload is not None and self.way.key == TABLE and self.upload.name:
            return PurePath(self.upload.name).stem[:200]
        assert self.tool is not None
        return f"{self.tool.label}, {count} {self.way.noun.lower()}{'' if count == 1 else 's'}"

    def _csv_text(self) -> tuple[str, str]:
        """The table's text, from the file that was sent or from what was typed, and why a file was not taken."""
        if self.upload is None:
            return self.data.get("csv", ""), ""
        try:
            if (self.upload.size or 0) > tables.LARGEST:
                raise tables.Unreadable("The file is larger than 1 MiB. Split it into several batches.")
            return tables.decoded(self.upload.read()), ""
        except tables.Unreadable as error:
            return self.data.get("csv", ""), str(error)

    # --- the options that all rows share ------------------------------------------------------------------

    @cached_property
    def composer(self) -> Composer:
        assert self.tool is not None
        if self.bound:
            return Composer(self.tool, self._shared)
        return Composer(self.tool, initial=self._carried())

    @property
    def basic(self) -> list[BoundField]:
        return [bound for bound in self.composer.basic if bound.name not in self._own_fields]

    @property
    def advanced(self) -> list[BoundField]:
        return [bound for bound in self.composer.advanced if bound.name not in self._own_fields]

    @property
    def advanced_has_errors(self) -> bool:
        return self.bound and any(bound.errors for bound in self.advanced)

    @cached_property
    def _own_fields(self) -> set[str]:
        """The fields that each row fills in by itself."""
        assert self.tool is not None
        if self.way.key == LINES:
            return {self.tool.subject}
        taking = (self.tool.field_for(file.type) for file in self.files)
        return {entry.name for entry in taking if entry is not None}

    @cached_property
    def _shared(self) -> QueryDict:
        data = self.data.copy()
        for name in OWN:
            data.pop(name, None)
        return data

    def _carried(self) -> dict[str, Any]:
        """What was typed for another tool, where this one asks for the same."""
        assert self.tool is not None
        carried: dict[str, Any] = {}
        for entry in self.tool.fields:
            if isinstance(entry, spec.Files):
                carried[entry.name] = self.data.getlist(entry.name)
            elif entry.name in self.data:
                carried[entry.name] = self.data[entry.name]
        return {name: value for name, value in carried.items() if value}

    # --- checking -----------------------------------------------------------------------------------------

    def is_valid(self) -> bool:
        """Whether every row can be started; what is wrong is in `table_error`, `checked` and the shared fields."""
        if self.tool is None:
            self.table_error = "Choose the files first."
            return False
        if self.upload_error:
            self.table_error = self.upload_error
            return False
        if self.way.key != TABLE and any(bound.errors for bound in (*self.basic, *self.advanced)):
            return False
        try:
            raws, library = self._raws(self.tool)
        except tables.Unreadable as error:
            self.table_error = str(error)
            return False
        self.checked = check(self.tool, raws, library)
        return not self.checked.problems

    @property
    def problems(self) -> list[Problem]:
        return self.checked.problems

    def _raws(self, tool: Tool) -> tuple[list[Raw], Library]:
        if self.way.key == TABLE:
            return tables.read(tool, self.csv_text)
        if self.way.key == LINES:
            rows = [(number, {tool.subject: line}) for number, line in self._numbered_lines()]
            return [Raw(number, self._with(own)) for number, own in rows], self._shared_library(tool)
        return self._file_raws(tool)

    def _numbered_lines(self) -> list[tuple[int, str]]:
        lines = [(number, line.strip()) for number, line in enumerate(self.lines.splitlines(), 1)]
        filled = [(number, line) for number, line in lines if line]
        if not filled:
            raise tables.Unreadable("Write at least one prompt: each line becomes a job.")
        if len(filled) > MOST_ROWS:
            raise tables.Unreadable(f"At most {MOST_ROWS} lines, please; there are {len(filled)}.")
        return filled

    def _file_raws(self, tool: Tool) -> tuple[list[Raw], Library]:
        names = list(dict.fromkeys(name for name in self.data.getlist("file") if name))
        if len(names) > MOST_ROWS:
            raise tables.Unreadable(f"At most {MOST_ROWS} files, please; there are {len(names)}.")
        raws = []
        for number, name in enumerate(names, 1):
            file = self.library.by_name.get(name)
            entry = tool.field_for(file.type) if file else None
            if file is None or entry is None:
                raws.append(Raw(number, None, ("It is not in the library any more.",)))
            else:
                raws.append(Raw(number, self._with({entry.name: file.remote_id})))
        shared = self._shared_library(tool)
        shared.by_name |= self.library.by_name
        return raws, shared

    def _shared_library(self, tool: Tool) -> Library:
        return Library(name for entry in tool.file_fields for name in self.data.getlist(entry.name))

    def _with(self, own: Mapping[str, str]) -> QueryDict:
        data = self._shared.copy()
        for name, value in own.items():
            data[name] = value
        # A field of another row's kind of file stays empty here.
        for name in self._own_fields - own.keys():
            data.pop(name, None)
        return data
