"""A value for every input of a tool that is not its default, as a form would have cleaned it."""

from __future__ import annotations

from typing import Any

from executions.tools.field_types import (
    Choice,
    Field,
    Files,
    Ids,
    Number,
    PresenterPicker,
    Replacements,
    Shape,
    Switch,
    Text,
    VoicePicker,
)
from executions.tools.tool import Tool


def value_for(field: Field) -> Any:
    match field:
        case Text():
            return f"words for {field.name}"[: field.max_length]
        case Number():
            return int(field.high) if field.is_integer else field.high
        case Choice():
            return next(word for word, _ in field.options if word and word != field.initial)
        case Shape():
            return "9:16"
        case Switch():
            return not field.initial
        case VoicePicker() | PresenterPicker():
            return f"vg_{field.kind[:4]}_1"
        case Replacements():
            return [{"original": "Rd", "replacement": "road"}]
        case Files():
            return [f"vg_file_{number}" for number in range(field.max_files)]
        case Ids():
            return ["vg_enti_1", "vg_enti_2"] if field.is_list else ["vg_enti_1"]
    raise AssertionError(f"{field.name} has an unknown type")


def all_inputs(tool: Tool) -> dict[str, Any]:
    """A value for each input of the tool, by name."""
    return {field.name: value_for(field) for field in tool.fields}
