"""Form fields for the catalogue's kinds of input: they only read the submitted data.

Validation belongs to the catalogue (executions/tools/validation.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from django import forms

from executions.tools import Tool
from executions.tools import field_types as spec
from executions.tools.validation import SPEECH, SPEECH_VOICE


class PairsInput(forms.Widget):
    """Rows of two inputs, `<name>-written` and `<name>-spoken`; or text with one `written = spoken` per line."""

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
    """One input of a tool, unvalidated: the form has the catalogue validate all inputs together.

    `spec` is the catalogue's field, for the templates.
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
        self.template_name = f"forms/fields/{entry.kind}.html"

    def clean(self, value: Any) -> Any:
        return value


def entries(tool: Tool) -> list[Entry]:
    """A form field for each input of the tool. Where a script may replace the recording, the recording is optional."""
    made = [
        Entry(entry, required=entry.required and entry.name != tool.recording_field) for entry in tool.fields
    ]
    if tool.recording_field:
        made += [Entry(entry, required=False) for entry in (SPEECH, SPEECH_VOICE)]
    return made


def entered(tool: Tool, data: Mapping[str, Any]) -> dict[str, Any]:
    """The submitted value of each input of the tool, by name."""
    return {
        each.spec.name: each.widget.value_from_datadict(data, {}, each.spec.name) for each in entries(tool)
    }
