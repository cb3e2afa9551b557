"""The form of a new batch: its tool, the source of its jobs, and the settings that apply to all of them."""

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
from dashboard.forms.batch_rows import CheckedRows, Library, Problem, RawRow, check
from dashboard.forms.tool_form import ToolForm
from executions import tools
from executions.batches.service import MAX_ROWS
from executions.models import File
from executions.tools import Tool
from executions.tools import field_types as spec

LINES, TABLE, FILES = "lines", "table", "files"
# Recent files offered on the page; a link from the library may name any file.
MAX_RECENT_FILES = 48
# Parameters that are not shared settings.
NOT_SHARED = ("lines", "csv", "file", "name", "tool", "way", "csrfmiddlewaretoken")


@dataclass(frozen=True)
class RowSource:
    """Where the jobs of a batch come from."""

    key: str
    label: str
    icon: str
    noun: str
    """The name of a row in error messages."""


SOURCES = {
    LINES: RowSource(LINES, "One prompt per line", "list", "Line"),
    TABLE: RowSource(TABLE, "A table", "table", "Row"),
    FILES: RowSource(FILES, "Many files", "images", "File"),
}


class NewBatch:
    """The form's input, or the parameters of a link (`way`, `tool`, `file`). `is_valid` validates every row."""

    def __init__(
        self, data: QueryDict, upload: UploadedFile[bytes] | None = None, *, bound: bool = False
    ) -> None:
        self.data = data
        self.upload = upload
        self.bound = bound
        self.checked = CheckedRows()
        self.table_error = ""
        name = data.get("way", "")
        self.way = SOURCES[name] if name in SOURCES else SOURCES[FILES if data.getlist("file") else LINES]
        offered = self.tools
        slug = data.get("tool", "")
        self.tool: Tool | None = next((tool for tool in offered if tool.slug == slug), None) or (
            offered[0] if offered else None
        )
        self.csv_text, self.upload_error = self._csv_text()
        # Recent files that are not selected.
        self.others: list[File] = []

    def load(self) -> None:
        """Read the files that the form offers. For a form that is shown."""
        if self.way.key == FILES:
            offered = File.objects.in_library().other_than(self.files).of_known_type()
            self.others = list(offered.newest_first()[:MAX_RECENT_FILES])
        if self.tool is not None and self.way.key != TABLE:
            self.composer.load(without=self._own_fields)

    # --- choices ------------------------------------------------------------------------------------------

    @property
    def ways(self) -> Sequence[RowSource]:
        return tuple(SOURCES.values())

    @cached_property
    def tools(self) -> list[Tool]:
        """The tools for this source of jobs, and for the selected files."""
        offered = list(tools.available().values())
        if self.way.key == LINES:
            return [tool for tool in offered if tool.subject]
        if self.way.key == FILES:
            media = {file.type for file in self.files}
            return [tool for tool in offered if media and all(tool.field_for(each) for each in media)]
        return offered

    @cached_property
    def library(self) -> Library:
        return Library(self.data.getlist("file")[: MAX_ROWS + 1])

    @cached_property
    def files(self) -> list[File]:
        """The selected files that exist, without duplicates, in the order of selection."""
        found = (self.library.by_name.get(name) for name in self.data.getlist("file"))
        return list(dict.fromkeys(file for file in found if file is not None))

    @property
    def columns(self) -> list[tables.Column]:
        return tables.columns(self.tool) if self.tool else []

    # --- input --------------------------------------------------------------------------------------------

    @property
    def lines(self) -> str:
        return self.data.get("lines", "")

    @property
    def name(self) -> str:
        return self.data.get("name", "").replace("\x00", "").strip()[:200]

    def batch_name(self, count: int) -> str:
        """The name that the person entered, or one made from the uploaded file or the tool."""
        if self.name:
            return self.name
        if self.upload is not None and self.way.key == TABLE and self.upload.name:
            return PurePath(self.upload.name).stem[:200]
        assert self.tool is not None
        return f"{self.tool.label}, {count} {self.way.noun.lower()}{'' if count == 1 else 's'}"

    def _csv_text(self) -> tuple[str, str]:
        """The table's text, from the uploaded file or the text field, and the error if the file cannot be read."""
        if self.upload is None:
            return self.data.get("csv", ""), ""
        try:
            if (self.upload.size or 0) > tables.MAX_BYTES:
                raise tables.Unreadable("The file is larger than 1 MiB. Split it into several batches.")
            return tables.decoded(self.upload.read()), ""
        except tables.Unreadable as error:
            return self.data.get("csv", ""), str(error)

    # --- shared settings ----------------------------------------------------------------------------------

    @cached_property
    def composer(self) -> ToolForm:
        assert self.tool is not None
        if self.bound:
            return ToolForm(self.tool, self._shared)
        return ToolForm(self.tool, initial=self._carried())

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
        """The fields whose value comes from each row."""
        assert self.tool is not None
        if self.way.key == LINES:
            return {self.tool.subject}
        taking = (self.tool.field_for(file.type) for file in self.files)
        return {entry.name for entry in taking if entry is not None}

    @cached_property
    def _shared(self) -> QueryDict:
        data = self.data.copy()
        for name in NOT_SHARED:
            data.pop(name, None)
        return data

    def _carried(self) -> dict[str, Any]:
        """Input for another tool, for the fields that this tool has as well."""
        assert self.tool is not None
        carried: dict[str, Any] = {}
        for entry in self.tool.fields:
            if isinstance(entry, spec.Files):
                carried[entry.name] = self.data.getlist(entry.name)
            elif entry.name in self.data:
                carried[entry.name] = self.data[entry.name]
        return {name: value for name, value in carried.items() if value}

    # --- validation ---------------------------------------------------------------------------------------

    def is_valid(self) -> bool:
        """Whether all rows are valid. Errors are in `table_error`, `checked` and the shared fields."""
        if self.tool is None:
            self.table_error = "Select files first."
            return False
        if self.upload_error:
            self.table_error = self.upload_error
            return False
        if self.way.key != TABLE and any(bound.errors for bound in (*self.basic, *self.advanced)):
            return False
        try:
            raw_rows, library = self._raw_rows(self.tool)
        except tables.Unreadable as error:
            self.table_error = str(error)
            return False
        self.checked = check(self.tool, raw_rows, library)
        return not self.checked.problems

    @property
    def problems(self) -> list[Problem]:
        return self.checked.problems

    def _raw_rows(self, tool: Tool) -> tuple[list[RawRow], Library]:
        if self.way.key == TABLE:
            return tables.read(tool, self.csv_text)
        if self.way.key == LINES:
            rows = [(number, {tool.subject: line}) for number, line in self._numbered_lines()]
            return [RawRow(number, self._with(own)) for number, own in rows], self._shared_library(tool)
        return self._file_rows(tool)

    def _numbered_lines(self) -> list[tuple[int, str]]:
        lines = [(number, line.strip()) for number, line in enumerate(self.lines.splitlines(), 1)]
        filled = [(number, line) for number, line in lines if line]
        if not filled:
            raise tables.Unreadable("Enter at least one prompt. Each line becomes a job.")
        if len(filled) > MAX_ROWS:
            raise tables.Unreadable(f"Enter at most {MAX_ROWS} lines; there are {len(filled)}.")
        return filled

    def _file_rows(self, tool: Tool) -> tuple[list[RawRow], Library]:
        names = list(dict.fromkeys(name for name in self.data.getlist("file") if name))
        if len(names) > MAX_ROWS:
            raise tables.Unreadable(f"Select at most {MAX_ROWS} files; there are {len(names)}.")
        raw_rows = []
        for number, name in enumerate(names, 1):
            file = self.library.by_name.get(name)
            entry = tool.field_for(file.type) if file else None
            if file is None or entry is None:
                raw_rows.append(RawRow(number, None, ("This file is no longer in the library.",)))
            else:
                raw_rows.append(RawRow(number, self._with({entry.name: file.remote_id})))
        shared = self._shared_library(tool)
        shared.by_name |= self.library.by_name
        return raw_rows, shared

    def _shared_library(self, tool: Tool) -> Library:
        return Library(name for entry in tool.file_fields for name in self.data.getlist(entry.name))

    def _with(self, own: Mapping[str, str]) -> QueryDict:
        data = self._shared.copy()
        for name, value in own.items():
            data[name] = value
        # A file field that is filled by other rows stays empty in this one.
        for name in self._own_fields - own.keys():
            data.pop(name, None)
        return data
