"""The only place where a job's settings are validated, for the form, batch rows and every other caller.

`validate` turns entered values into a request body, or returns an error message per field. Jobs are created from a
`ValidatedBody` only, and only this module makes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from django.conf import settings

from executions.tools.audio import TEXT_TO_SPEECH
from executions.tools.field_types import Field, Text, VoicePicker
from executions.tools.rules import AccountChoices, Invalid
from executions.tools.tool import Tool

# The key in `ValidationResult.errors` for an error that no single field has.
NON_FIELD = ""
# The inputs that replace a recording, in tools with a `recording_field`.
SPEECH = Text(name="speech", label="Script", max_length=5000)
SPEECH_VOICE = VoicePicker(name="speechVoice", label="Voice")

_SEAL = object()


class ValidatedBody(dict[str, Any]):
    """An immutable request body that may be sent, with the names of API version 2 (see api_versions.py)."""

    def __init__(self, content: Mapping[str, Any], seal: object = None) -> None:
        if seal is not _SEAL:
            raise TypeError("Only executions.tools.validate makes a ValidatedBody.")
        super().__init__(content)

    def _reject_change(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("A validated body cannot change. Validate the new one.")

    __setitem__ = __delitem__ = __ior__ = _reject_change
    update = setdefault = pop = popitem = clear = _reject_change

    def __copy__(self) -> ValidatedBody:
        return self

    def __deepcopy__(self, _: Any) -> ValidatedBody:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A body unpickled from a cache or another process was not validated here.
        return dict, (dict(self),)


def already_validated(body: Mapping[str, Any]) -> ValidatedBody:
    """Trust a stored body that was validated when it was stored.

    For jobs that are run again and for the rows of a plan. Files and voices in it may be gone by now: VideoGen reports
    that, or `validate` does where the user can still correct it.
    """
    return ValidatedBody(body, _SEAL)


@dataclass(frozen=True)
class Speech:
    """A script that is spoken by a first job, whose recording a second job uses."""

    script: str
    voice_id: str = ""

    @property
    def body(self) -> ValidatedBody:
        """The body of the speech job. Raises Invalid for a script that the form would reject."""
        script = replace(SPEECH, required=True).check(self.script, AccountChoices())
        voice = {"voiceId": self.voice_id} if self.voice_id else {}
        return ValidatedBody({"ttsText": script, **voice, "numResults": 1}, _SEAL)


@dataclass(frozen=True)
class ValidationResult:
    """A body, or None and the error messages by field name."""

    tool: Tool
    body: ValidatedBody | None
    speech: Speech | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[str]:
        """The errors, each with its field's label, for pages that do not show the field."""
        labels = {each.name: each.label for each in (*self.tool.fields, SPEECH, SPEECH_VOICE)}
        messages = []
        for name, message in self.errors.items():
            label = labels.get(name, name)
            messages.append(message if not label or message.startswith(label) else f"{label}: {message}")
        return messages


def validate(tool: Tool, values: Mapping[str, Any], choices: AccountChoices) -> ValidationResult:
    """Validate the values entered for `tool` (from `tools.available`), keyed by field name.

    A tool with a `recording_field` also accepts `speech` and `speechVoice`. An unknown field name is an error.
    """
    cleaned: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for entry in _entries(tool):
        try:
            cleaned[entry.name] = entry.check(values.get(entry.name), choices)
        except Invalid as invalid:
            errors[entry.name] = str(invalid)
    for name in values.keys() - {entry.name for entry in _entries(tool)}:
        errors[name] = "This tool does not have this field."
    speech = None
    if tool.recording_field and tool.recording_field not in errors:
        speech = _speech(tool, cleaned, errors)
    if tool.at_least_one and not errors and not any(cleaned.get(name) for name in tool.at_least_one):
        errors[NON_FIELD] = _nothing_given_message(tool)
    if errors:
        return ValidationResult(tool, None, errors=errors)
    return ValidationResult(tool, ValidatedBody(tool.body(cleaned), _SEAL), speech)


def speech_voice_required() -> bool:
    """Whether the configured API version requires a voice; others choose one automatically."""
    speech = TEXT_TO_SPEECH.for_api_version(settings.VIDEOGEN_API_ERA)
    return next(entry for entry in speech.fields if isinstance(entry, VoicePicker)).required


def _entries(tool: Tool) -> list[Field]:
    """The tool's fields. A recording is optional where a script can replace it."""
    entries = [
        replace(each, required=False) if each.name == tool.recording_field else each for each in tool.fields
    ]
    return [*entries, SPEECH, SPEECH_VOICE] if tool.recording_field else entries


def _speech(tool: Tool, cleaned: Mapping[str, Any], errors: dict[str, str]) -> Speech | None:
    """The speech that makes the recording, if a script was entered. Adds to `errors`."""
    chosen, script = cleaned.get(tool.recording_field), cleaned.get(SPEECH.name) or ""
    voice = cleaned.get(SPEECH_VOICE.name) or ""
    if not chosen and not script:
        errors[tool.recording_field] = "Choose a recording or type a script."
    elif chosen and script:
        errors[SPEECH.name] = "Choose a recording or type a script, not both."
    elif script and speech_voice_required() and not voice:
        errors.setdefault(SPEECH_VOICE.name, "Choose a voice for the script.")
    elif script:
        return Speech(script, voice)
    return None


def _nothing_given_message(tool: Tool) -> str:
    by_name = {each.name: each.label for each in tool.fields}
    *first, last = (by_name[name] for name in tool.at_least_one)
    return f"Fill in at least one of these: {', '.join(first)} or {last}."
