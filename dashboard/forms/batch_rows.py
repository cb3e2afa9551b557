"""Checks the rows of a batch by the rules for a single job, every one of them before the first is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from dashboard.forms.fields import entered
from dashboard.forms.tool_form import Catalogues
from dashboard.http.params import as_uuid
from executions.batches.rows import Row
from executions.models import File
from executions.tools import AccountChoices, Tool, validate


@dataclass(frozen=True)
class Raw:
    """One row as it was typed: form data (None: there is nothing to check), and what could not even be read."""

    number: int
    data: Any
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row, by the number that the person knows it by; 0 is the whole."""

    number: int
    words: str


@dataclass
class Checked:
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class Library:
    """Files that rows name, read at once; a person may name one by VideoGen's id or by ours."""

    def __init__(self, names: Iterable[str]) -> None:
        wanted = {name for name in names if name and "\x00" not in name}
        ours = {key for name in wanted if (key := as_uuid(name)) is not None}
        found = File.objects.filter(Q(remote_id__in=wanted) | Q(pk__in=ours)) if wanted else ()
        self.by_name: dict[str, File] = {}
        for file in found:
            self.by_name[file.remote_id] = self.by_name[str(file.pk)] = file

    def find(self, ids: Iterable[str]) -> dict[str, File]:
        return {each: self.by_name[each] for each in ids if each in self.by_name}

    def remote_id(self, name: str) -> str:
        """VideoGen's id for a name; one that is unknown stays, so that the field can say so."""
        file = self.by_name.get(name)
        return file.remote_id if file else name


def check(tool: Tool, raws: Sequence[Raw], library: Library) -> Checked:
    """All rows as they would be sent, or everything that is wrong with any of them."""
    choices = Catalogues.for_tool(tool).choices(library.find)
    checked = Checked()
    for raw in raws:
        checked.problems += [Problem(raw.number, words) for words in raw.unreadable]
        if raw.data is not None:
            _judge(tool, raw.number, entered(tool, raw.data), choices, checked)
    return checked


def check_again(tool: Tool, rows: Sequence[Row]) -> Checked:
    """Rows that were good once, by the rules as they are today: files, voices and API versions change."""
    library = Library(name for row in rows for _, name in tool.inputs(row.body))
    choices = Catalogues.for_tool(tool).choices(library.find)
    checked = Checked()
    for row in rows:
        values = tool.values(row.body)
        if row.speech is not None:
            values |= {"speech": row.speech.words, "speechVoice": row.speech.voice_id}
        _judge(tool, row.number, values, choices, checked)
    return checked


def _judge(
    tool: Tool, number: int, values: Mapping[str, Any], choices: AccountChoices, checked: Checked
) -> None:
    found = validate(tool, values, choices)
    if found.body is not None:
        checked.rows.append(Row(number, found.body, speech=found.speech))
    checked.problems += [Problem(number, words) for words in found.messages]
