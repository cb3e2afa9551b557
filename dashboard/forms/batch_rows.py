"""Validates all rows of a batch before any job starts, by the same rules as for a single job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.forms.form_fields import entered
from dashboard.forms.tool_form import Catalogues
from executions.batches.rows import Row
from executions.models import File
from executions.tools import AccountChoices, Tool, validate


@dataclass(frozen=True)
class RawRow:
    """One row as entered: form data (None if there is nothing to validate), and parse errors."""

    number: int
    data: Any
    parse_errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """A validation error of one row, with the row's number as the person sees it; 0 is the batch as a whole."""

    number: int
    message: str


@dataclass
class CheckedRows:
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class Library:
    """The files that rows name, read in one query. Rows may use VideoGen's ids or ours."""

    def __init__(self, names: Iterable[str]) -> None:
        wanted = {name for name in names if name and "\x00" not in name}
        found = File.objects.with_any_id(wanted) if wanted else ()
        self.by_name: dict[str, File] = {}
        for file in found:
            self.by_name[file.remote_id] = self.by_name[str(file.pk)] = file

    def find(self, ids: Iterable[str]) -> dict[str, File]:
        return {each: self.by_name[each] for each in ids if each in self.by_name}

    def remote_id(self, name: str) -> str:
        """VideoGen's id of the file; an unknown name is returned unchanged, so that the field's validation reports it."""
        file = self.by_name.get(name)
        return file.remote_id if file else name


def check(tool: Tool, raw_rows: Sequence[RawRow], library: Library) -> CheckedRows:
    """The valid rows as request bodies, and the errors of all others."""
    choices = Catalogues.for_tool(tool).choices(library.find)
    checked = CheckedRows()
    for raw in raw_rows:
        checked.problems += [Problem(raw.number, message) for message in raw.parse_errors]
        if raw.data is not None:
            _validate_row(tool, raw.number, entered(tool, raw.data), choices, checked)
    return checked


def recheck(tool: Tool, rows: Sequence[Row]) -> CheckedRows:
    """Validate the rows of earlier jobs again, since files, voices and API versions change."""
    library = Library(name for row in rows for _, name in tool.inputs(row.body))
    choices = Catalogues.for_tool(tool).choices(library.find)
    checked = CheckedRows()
    for row in rows:
        values = tool.values(row.body)
        if row.speech is not None:
            values |= {"speech": row.speech.script, "speechVoice": row.speech.voice_id}
        _validate_row(tool, row.number, values, choices, checked)
    return checked


def _validate_row(
    tool: Tool, number: int, values: Mapping[str, Any], choices: AccountChoices, checked: CheckedRows
) -> None:
    result = validate(tool, values, choices)
    if result.body is not None:
        checked.rows.append(Row(number, result.body, speech=result.speech))
    checked.problems += [Problem(number, message) for message in result.messages]
