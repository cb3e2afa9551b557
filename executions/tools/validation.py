"""The one place where a job's settings are judged: for the form, a row of a batch, and any other caller alike.

`validate` turns what was entered into a request body, or says what is wrong with which field. A job is created
from a `ValidatedBody` only, and nothing but this module makes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from django.conf import settings

from executions.tools.audio import TEXT_TO_SPEECH
from executions.tools.fields import Field, Text, Voice
from executions.tools.rules import Invalid, Offers
from executions.tools.tool import Tool

# The name in `Validated.errors` for what is wrong with the settings as a whole.
WHOLE = ""
# What a tool with `spoken` takes in place of a recording.
SPEECH = Text(name="speech", label="Or speak this first", max_length=5000)
SPEECH_VOICE = Voice(name="speechVoice", label="Voice")

_SEAL = object()


class ValidatedBody(dict[str, Any]):
    """A request body that may be sent, in our names (executions/tools/api_versions.py). It does not change any more."""

    def __init__(self, content: Mapping[str, Any], seal: object = None) -> None:
        if seal is not _SEAL:
            raise TypeError("A body is validated by executions.tools.validate, and by nothing else.")
        super().__init__(content)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("A validated body does not change: validate the new one.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __copy__(self) -> ValidatedBody:
        return self

    def __deepcopy__(self, _: Any) -> ValidatedBody:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # What comes back from a cache or another process was not validated here.
        return dict, (dict(self),)


def accepted_before(body: Mapping[str, Any]) -> ValidatedBody:
    """A body that was validated when it was stored, to be used again word for word.

    For jobs that are run again and for the rows of a plan. What it names may be gone by now: VideoGen judges that,
    or `validate` does where the person can still correct it.
    """
    return ValidatedBody(body, _SEAL)


@dataclass(frozen=True)
class Speech:
    """Words to be spoken before the job that needs the recording."""

    words: str
    voice_id: str = ""

    @property
    def body(self) -> ValidatedBody:
        """The settings of the job that speaks them. Raises Invalid for words that the form would not take."""
        words = replace(SPEECH, required=True).check(self.words, Offers())
        voice = {"voiceId": self.voice_id} if self.voice_id else {}
        return ValidatedBody({"ttsText": words, **voice, "numResults": 1}, _SEAL)


@dataclass(frozen=True)
class Validated:
    """The verdict: a body, or what is wrong, by the names of the fields."""

    tool: Tool
    body: ValidatedBody | None
    speech: Speech | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def sentences(self) -> list[str]:
        """What is wrong, each with the field's label, for where the field itself is out of sight."""
        labels = {each.name: each.label for each in (*self.tool.fields, SPEECH, SPEECH_VOICE)}
        found = []
        for name, message in self.errors.items():
            label = labels.get(name, name)
            found.append(message if not label or message.startswith(label) else f"{label}: {message}")
        return found


def validate(tool: Tool, values: Mapping[str, Any], offers: Offers) -> Validated:
    """Judge what was entered for `tool` (as `tools.offered` has it), by the names of its fields.

    A tool with `spoken` takes `speech` and `speechVoice` as well. A name that the tool does not have is an error.
    """
    cleaned: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for entry in _entries(tool):
        try:
            cleaned[entry.name] = entry.check(values.get(entry.name), offers)
        except Invalid as invalid:
            errors[entry.name] = str(invalid)
    for name in values.keys() - {entry.name for entry in _entries(tool)}:
        errors[name] = "This tool has no such field."
    speech = None
    if tool.spoken and tool.spoken not in errors:
        speech = _speech(tool, cleaned, errors)
    if tool.at_least_one and not errors and not any(cleaned.get(name) for name in tool.at_least_one):
        errors[WHOLE] = _nothing_given(tool)
    if errors:
        return Validated(tool, None, errors=errors)
    return Validated(tool, ValidatedBody(tool.body(cleaned), _SEAL), speech)


def speech_voice_required() -> bool:
    """Some versions of the API choose a voice by themselves, others demand one."""
    speech = TEXT_TO_SPEECH.for_api_version(settings.VIDEOGEN_API_ERA)
    return next(entry for entry in speech.fields if isinstance(entry, Voice)).required


def _entries(tool: Tool) -> list[Field]:
    """The fields; a recording is not required where it can be spoken first."""
    entries = [replace(each, required=False) if each.name == tool.spoken else each for each in tool.fields]
    return [*entries, SPEECH, SPEECH_VOICE] if tool.spoken else entries


def _speech(tool: Tool, cleaned: Mapping[str, Any], errors: dict[str, str]) -> Speech | None:
    """The words to be spoken first, if that is how the recording is made."""
    chosen, words = cleaned.get(tool.spoken), cleaned.get(SPEECH.name) or ""
    voice = cleaned.get(SPEECH_VOICE.name) or ""
    if not chosen and not words:
        errors[tool.spoken] = "Choose a recording, or write the words to be spoken first."
    elif chosen and words:
        errors[SPEECH.name] = "Choose one of the two: a recording, or words to be spoken first."
    elif words and speech_voice_required() and not voice:
        errors.setdefault(SPEECH_VOICE.name, "Choose the voice that speaks it.")
    elif words:
        return Speech(words, voice)
    return None


def _nothing_given(tool: Tool) -> str:
    by_name = {each.name: each.label for each in tool.fields}
    *first, last = (by_name[name] for name in tool.at_least_one)
    return f"Give it something to start from: {', '.join(first)} or {last}."
