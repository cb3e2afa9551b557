"""How the kinds of input in the catalogue are read from a form. What may be entered, the catalogue says
(executions/tools/validation.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from django import forms

from executions.tools import Tool
from executions.tools import fields as spec
from executions.tools.validation import SPEECH, SPEECH_VOICE


class PairsInput(forms.Widget):
    """Rows of two inputs, `<name>-written` and `<name>-spoken`; or text, one `written = spoken` a line."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        if hasattr(data, "getlist") and f"{name}-written" in data:
            rows: Iterable[Sequence[str]] = zip_longest(
                data.getlist(f"{name}-written"), data.getlist(f"{name}-spoken"), fillvalue=""
            )
        else:
            lines = str(data.get(name) or "").splitlines()
            rows = (line.partition("=")[::2] for line in lines)
        return [(written.strip(), spoken.strip()) for written, spoken in rows]


WIDGETS: dict[str, Callable[[], forms.Widget]] = {
    "text": forms.TextInput,
    "number": forms.NumberInput,
    "choice": forms.Select,
    "shape": forms.RadioSelect,
    "switch": forms.CheckboxInput,
    "voice": forms.Select,
    "presenter": forms.Select,
    "replacements": PairsInput,
    "ids": forms.Textarea,
    "files": forms.SelectMultiple,
}


class Entry(forms.Field):
    """One input of a tool, as it was entered: the form asks the catalogue about all of them together.

    `spec` is the entry of the catalogue, for the templates.
    """

    def __init__(self, entry: spec.Field, *, required: bool) -> None:
        super().__init__(
            label=entry.label,
            help_text=entry.help,
            required=required,
            initial=getattr(entry, "initial", None),
            widget=WIDGETS[entry.kind](),
        )
        self.spec = entry

    def clean(self, value: Any) -> Any:
        return value


def entries(tool: Tool) -> list[Entry]:
    """A field for each input of the tool; a recording may be chosen, or spoken first from words."""
    made = [
        Entry(entry, required=entry.required and entry.name != tool.recording_field) for entry in tool.fields
    ]
    if tool.recording_field:
        made += [Entry(entry, required=False) for entry in (SPEECH, SPEECH_VOICE)]
    return made


def entered(tool: Tool, data: Mapping[str, Any]) -> dict[str, Any]:
    """What form data says for each input of the tool."""
    return {
        each.spec.name: each.widget.value_from_datadict(data, {}, each.spec.name) for each in entries(tool)
    }
