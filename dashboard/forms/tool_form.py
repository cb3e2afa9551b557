"""The form of a tool, derived from the tool's entry in the catalogue."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.conf import settings
from django.forms.boundfield import BoundField

from dashboard.forms.file_choice import Candidate
from dashboard.forms.form_fields import entries
from executions import tools
from executions.account import presenters, voices
from executions.models import File
from executions.tools import Tool, validation
from executions.tools import field_types as spec
from executions.videogen import Presenter, Voice


@dataclass(frozen=True)
class Catalogues:
    """The account's voices and presenters, each with a note if its list could not be read."""

    voices: list[Voice] = field(default_factory=list)
    voices_note: str = ""
    presenters: list[Presenter] = field(default_factory=list)
    presenters_note: str = ""

    @classmethod
    def for_tool(cls, tool: Tool) -> Catalogues:
        kinds = {entry.kind for entry in tool.fields} | ({"voice"} if tool.recording_field else set())
        known_voices, voices_note = voices.usable() if "voice" in kinds else ([], "")
        known_presenters, presenters_note = presenters.usable() if "presenter" in kinds else ([], "")
        return cls(known_voices, voices_note, known_presenters, presenters_note)

    def choices(self, files: Callable[[Sequence[str]], Mapping[str, File]]) -> tools.AccountChoices:
        """The same, for validation; `files` finds files by VideoGen's ids."""
        voice_ids = [voice.voice_id for voice in self.voices]
        return tools.AccountChoices(voice_ids, [each.presenter_id for each in self.presenters], files)


# Recent files that a file field shows without opening the library.
MAX_RECENT_FILES = 12


class ToolForm(forms.Form):
    """The inputs of `tool`. With `key`, the same form submitted twice starts one job."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)

    def __init__(
        self,
        tool: Tool,
        data: Any = None,
        *,
        initial: Mapping[str, Any] | None = None,
        catalogues: Catalogues | None = None,
    ) -> None:
        super().__init__(data, initial={"key": uuid.uuid4().hex, **(initial or {})}, auto_id="composer-%s")
        self.tool = tool
        self.catalogues = catalogues or Catalogues.for_tool(tool)
        self.fields |= {each.spec.name: each for each in entries(tool)}
        self.validated: tools.ValidationResult | None = None
        self.candidates: dict[str, list[Candidate]] = {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        values = {name: value for name, value in cleaned.items() if name != "key"}
        self.validated = tools.validate(self.tool, values, self.catalogues.choices(File.objects.by_remote_id))
        for name, message in self.validated.errors.items():
            self.add_error(name or None, message)
        return cleaned

    # --- for the templates --------------------------------------------------------------------------------

    @property
    def voices(self) -> list[Voice]:
        return self.catalogues.voices

    @property
    def voices_note(self) -> str:
        return self.catalogues.voices_note

    @property
    def voice_genders(self) -> list[str]:
        return sorted({voice.display_gender.lower() for voice in self.voices if voice.display_gender})

    @property
    def presenters(self) -> list[Presenter]:
        return self.catalogues.presenters

    @property
    def presenters_note(self) -> str:
        return self.catalogues.presenters_note

    @property
    def basic(self) -> list[BoundField]:
        return [self[entry.name] for entry in self.tool.basic_fields]

    @property
    def advanced(self) -> list[BoundField]:
        return [self[entry.name] for entry in self.tool.advanced_fields]

    @property
    def speech_field(self) -> BoundField:
        return self["speech"]

    @property
    def speech_voice_required(self) -> bool:
        return validation.speech_voice_required()

    @property
    def speech_voice_field(self) -> BoundField:
        return self["speechVoice"]

    @property
    def unavailable_fields(self) -> list[str]:
        """Labels of the fields that the account's API version lacks."""
        return tools.find(self.tool.slug).unavailable_fields(settings.VIDEOGEN_API_ERA)

    @property
    def advanced_has_errors(self) -> bool:
        return any(bound.errors for bound in self.advanced)

    def load(self, *, without: Collection[str] = ()) -> None:
        """Read the files that each file field offers: the selected ones, then the latest suitable ones.

        For a form that is shown; `without` names fields that are not.
        """
        shown = [entry for entry in self.tool.file_fields if entry.name not in without]
        ids = {entry.name: list(self[entry.name].value() or []) for entry in shown}
        wanted = [each for chosen in ids.values() for each in chosen if "\x00" not in each]
        known = File.objects.by_remote_id(wanted)
        for entry in shown:
            chosen = [known[each] for each in ids[entry.name] if each in known]
            self.candidates[entry.name] = self._candidates(entry, chosen)

    def _candidates(self, entry: spec.Files, chosen: Sequence[File]) -> list[Candidate]:
        fitting = File.objects.in_library().of_types(entry.media).newest_first()
        others = [file for file in fitting[:MAX_RECENT_FILES] if file not in chosen]
        return [Candidate(file, True) for file in chosen] + [Candidate(file, False) for file in others]

    # --- for the start ------------------------------------------------------------------------------------

    @property
    def body(self) -> tools.ValidatedBody:
        """The request body, in our field names. Only for a valid form."""
        assert self.validated is not None
        assert self.validated.body is not None
        return self.validated.body

    @property
    def speech(self) -> tools.Speech | None:
        """The script to be spoken first, if the job starts with one."""
        return self.validated.speech if self.validated else None

    @property
    def idempotency_key(self) -> str | None:
        """The same for the same form with the same content; an edited form is a new job."""
        key = self.cleaned_data.get("key")
        if not key:
            return None
        content = json.dumps([self.tool.slug, self.body, self.speech and self.speech.body], sort_keys=True)
        return f"{key}.{hashlib.sha256(content.encode()).hexdigest()[:32]}"

    def renewed(self) -> ToolForm:
        """A new form with the same values and a new key, for another start."""
        names = [entry.name for entry in self.tool.fields]
        if self.tool.recording_field:
            names += ["speech", "speechVoice"]
        values = {name: self[name].value() for name in names}
        return ToolForm(self.tool, initial=values, catalogues=self.catalogues)
