"""CSV tables of jobs, one row per job: reading them, and the template for each tool."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.forms.batch_rows import Library, RawRow
from dashboard.forms.tool_form import Catalogues
from dashboard.http.csv_safety import guard, unguard
from executions.batches.service import MAX_ROWS
from executions.models import File
from executions.tools import Tool
from executions.tools import field_types as spec

MAX_BYTES = 1024 * 1024
BOM = "\ufeff"
YES = {"yes", "y", "true", "1", "on", "x"}
NO = {"no", "n", "false", "0", "off"}


class Unreadable(Exception):
    """The table as a whole cannot be read; the message says why."""


@dataclass(frozen=True)
class Column:
    """One column: the field that it fills in, and a description of its values."""

    name: str
    label: str
    required: bool
    about: str


def columns(tool: Tool) -> list[Column]:
    found = [Column(each.name, each.label, _is_required(tool, each), _about(each)) for each in tool.fields]
    if tool.recording_field:
        found += [
            Column("speech", "Script", False, "Instead of a recording."),
            Column("speechVoice", "Voice", False, "Id or name of a voice."),
        ]
    return found


def _is_required(tool: Tool, entry: spec.Field) -> bool:
    has_default = getattr(entry, "initial", None) not in (None, "")
    return entry.required and not has_default and entry.name != tool.recording_field


def _about(entry: spec.Field) -> str:
    match entry:
        case spec.Number():
            return f"{entry.low:g} to {entry.high:g} {entry.unit}".strip()
        case spec.Choice():
            return ", ".join(value for value, _ in entry.options if value)
        case spec.Shape():
            return ", ".join(entry.options)
        case spec.Switch():
            return "yes or no"
        case spec.Files():
            return "File ids, separated by spaces." if entry.accepts_several else "Id of a file."
        case spec.VoicePicker():
            return "Id or name of a voice."
        case spec.PresenterPicker():
            return "Id of a presenter."
        case spec.Replacements():
            return "written = spoken, one per line"
    return entry.help


# --- the template -----------------------------------------------------------------------------------------


def template(tool: Tool, files: Sequence[File] = ()) -> str:
    """The headings and first rows: an example, or one row for each of `files`."""
    rows = [_example(tool)]
    if files:
        taking = {entry.name for file in files if (entry := tool.field_for(file.type))}
        rows = [
            {
                **_example(tool, words=False),
                **{name: file.remote_id for name in taking if _fits(tool, name, file)},
            }
            for file in files
        ]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    names = [column.name for column in columns(tool)]
    writer.writerow([guard(name) for name in names])
    writer.writerows([[guard(row.get(name, "")) for name in names] for row in rows])
    # The byte order mark tells spreadsheet programs that the file is UTF-8.
    return BOM + text.getvalue()


def _fits(tool: Tool, name: str, file: File) -> bool:
    entry = tool.field_for(file.type)
    return entry is not None and entry.name == name


def _example(tool: Tool, *, words: bool = True) -> dict[str, str]:
    row: dict[str, str] = {}
    for entry in tool.fields:
        match entry:
            case spec.Text() if words and entry.placeholder:
                row[entry.name] = entry.placeholder
            case spec.Switch():
                row[entry.name] = "yes" if entry.initial else "no"
            case spec.Number() if entry.initial is not None:
                row[entry.name] = f"{entry.initial:g}"
            case spec.Choice() | spec.Shape():
                row[entry.name] = entry.initial
    return row


# --- reading ----------------------------------------------------------------------------------------------


def decoded(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise Unreadable("The file is larger than 1 MiB. Split it into several batches.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8. Save it as “CSV UTF-8” and choose it again.") from None
    if "\x00" in text:
        raise Unreadable("The file contains invalid characters. Save it as “CSV UTF-8”.")
    return text


def read(tool: Tool, text: str) -> tuple[list[RawRow], Library]:
    """The table's rows as form data, with a spreadsheet's row numbers. Raises Unreadable."""
    text = text.removeprefix(BOM)
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise Unreadable("The table is larger than 1 MiB. Split it into several batches.")
    if "\x00" in text:
        raise Unreadable("The table contains invalid characters.")
    table = _records(text)
    if not table:
        raise Unreadable("The table is empty. The first row must name the columns.")
    names = _headings(tool, table[0][1])
    filled = [(number, row) for number, row in table[1:] if any(cell.strip() for cell in row)]
    if not filled:
        raise Unreadable("There are no rows below the headings.")
    if len(filled) > MAX_ROWS:
        raise Unreadable(f"Enter at most {MAX_ROWS} rows; there are {len(filled)}.")
    cells = [(number, _cells(names, row), row[len(names) :]) for number, row in filled]
    files = {entry.name for entry in tool.file_fields}
    library = Library(
        each for _, row, _ in cells for name in files & row.keys() for each in row[name].split()
    )
    reader = _RowReader(tool, library)
    return [reader.raw(number, row, extra) for number, row, extra in cells], library


def _records(text: str) -> list[tuple[int, list[str]]]:
    first = text.lstrip().partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    records: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            records.append((len(records) + 1, row))
    except csv.Error as error:
        raise Unreadable(f"Row {len(records) + 1} cannot be read: {_csv_message(str(error))}.") from None
    begin = next((place for place, (_, row) in enumerate(records) if any(cell.strip() for cell in row)), None)
    return records[begin:] if begin is not None else []


def _csv_message(error: str) -> str:
    if "field larger" in error:
        return "a cell is too long"
    return "a quotation mark is unclosed or in the middle of a cell"


def _headings(tool: Tool, row: Sequence[str]) -> list[str]:
    known: dict[str, str] = {}
    for column in columns(tool):
        known.setdefault(column.label.casefold(), column.name)
    known |= {column.name.casefold(): column.name for column in columns(tool)}
    names = []
    while row and not row[-1].strip():
        row = row[:-1]
    for cell in row:
        heading = unguard(cell).strip()
        name = known.get(heading.casefold())
        if name is None:
            offered = ", ".join(column.name for column in columns(tool))
            raise Unreadable(f"This tool has no column “{heading[:60]}”. Its columns are: {offered}.")
        if name in names:
            raise Unreadable(f"The column “{heading[:60]}” occurs twice.")
        names.append(name)
    missing = [column.name for column in columns(tool) if column.required and column.name not in names]
    if missing:
        raise Unreadable(f"The column “{missing[0]}” is missing.")
    return names


def _cells(names: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    padded = [*row, *[""] * len(names)]
    return {name: unguard(cell) for name, cell in zip(names, padded, strict=False)}


class _RowReader:
    """Turns the cells of a row into form data of the tool."""

    def __init__(self, tool: Tool, library: Library) -> None:
        self.tool = tool
        self.library = library
        self.example = {name: cell for name, cell in _example(tool).items() if cell}
        self.has_words = any(isinstance(each, spec.Text) and each.placeholder for each in tool.fields)
        self.voices: dict[str, str] = {}
        names: list[str] = []
        for voice in Catalogues.for_tool(tool).voices:
            names.append(voice.display_name.casefold())
            self.voices[voice.display_name.casefold()] = voice.voice_id
        for name in {name for name in names if names.count(name) > 1}:
            del self.voices[name]  # a name shared by several voices is ambiguous

    def raw(self, number: int, row: dict[str, str], extra: Iterable[str]) -> RawRow:
        parse_errors = []
        if any(cell.strip() for cell in extra):
            parse_errors.append(
                "There are more cells than headings. Put text that contains commas in quotation marks."
            )
        if self.has_words and {name: cell for name, cell in row.items() if cell.strip()} == self.example:
            parse_errors.append("This is the template's example. Change it or remove the row.")
        data: dict[str, object] = {"speech": row.get("speech", "")}
        data["speechVoice"] = self._voice(row.get("speechVoice", ""))
        for entry in self.tool.fields:
            cell = row.get(entry.name, "")
            match entry:
                case spec.Files():
                    data[entry.name] = [self.library.remote_id(each) for each in cell.split()]
                case spec.Switch():
                    word = cell.strip().casefold()
                    if word and word not in YES | NO:
                        parse_errors.append(f"{entry.label}: enter yes or no, not “{cell.strip()[:40]}”.")
                    data[entry.name] = word in YES if word else entry.initial
                case spec.VoicePicker():
                    data[entry.name] = self._voice(cell)
                case spec.Choice():
                    data[entry.name] = _choice(entry, cell)
                case spec.Number():
                    data[entry.name] = _point(cell.strip()) or entry.initial
                case spec.Shape():
                    data[entry.name] = cell.strip() or entry.initial
                case _:
                    data[entry.name] = cell
        return RawRow(number, data, tuple(parse_errors))

    def _voice(self, cell: str) -> str:
        return self.voices.get(cell.strip().casefold(), cell.strip())


def _point(number: str) -> str:
    """The number with a decimal point: spreadsheets in many countries write 1,5."""
    return number.replace(",", ".") if re.fullmatch(r"-?\d+,\d+", number) else number


def _choice(entry: spec.Choice, cell: str) -> str:
    """The option that a cell names, by the API's value or by the form's label."""
    word = cell.strip()
    meanings = {label.casefold(): value for value, label in entry.options}
    meanings |= {value.casefold(): value for value, _ in entry.options}
    return meanings.get(word.casefold(), word) if word else entry.initial
