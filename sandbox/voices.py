"""The voices, and their espeak-ng parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.errors import ApiError, invalid_parameters, not_found
from sandbox.ids import VOICE, check_id


@dataclass(frozen=True)
class Voice:
    """``espeak``: the espeak-ng voice, a language and a variant. ``pitch``: 0 to 100, 50 is normal."""

    id: str
    name: str
    language: str
    gender: str
    espeak: str
    pitch: int = 50
    accent: str | None = None
    description: str | None = None
    supports_tools: bool = True
    speaks_all_languages: bool = False
    deprecated: bool = False

    @property
    def variant(self) -> str:
        _, plus, variant = self.espeak.partition("+")
        return plus + variant

    def as_json(self) -> dict[str, Any]:
        return {
            "voiceId": self.id,
            "languageCode": self.language,
            "displayName": self.name,
            "displayGender": self.gender,
            "accent": self.accent,
            "description": self.description,
            "supportsDirectToolExecution": self.supports_tools,
            "supportsAllLanguages": self.speaks_all_languages,
            "isDeprecated": self.deprecated,
        }


def _id(suffix: str) -> str:
    return "vg_voic_" + suffix.ljust(22, "0")


VOICES = (
    Voice(
        _id("Rowan"), "Rowan", "en-US", "NEUTRAL", "en-us+m3", 54, "american",
        "Even and unhurried, made for explanations.", speaks_all_languages=True,
    ),
    Voice(
        _id("Harriet"), "Harriet", "en-US", "FEMALE", "en-us+f3", 58, "american",
        "Bright and close to the microphone.",
    ),
    Voice(_id("Dexter"), "Dexter", "en-US", "MALE", "en-us+m7", 38, "american", "Deep, with time to spare."),
    Voice(_id("Imogen"), "Imogen", "en-GB", "FEMALE", "en-gb-x-rp+f2", 55, "british", "Clear as a news desk."),
    Voice(_id("Callum"), "Callum", "en-GB", "MALE", "en-gb-scotland+m1", 44, "scottish", "Warm and a little rough."),
    Voice(
        _id("Alastair"), "Alastair", "en-GB", "MALE", "en-gb-x-rp+m2", 40, "british",
        "The narrator of older projects.", supports_tools=False, deprecated=True,
    ),
    Voice(_id("Marlene"), "Marlene", "de-DE", "FEMALE", "de+f4", 56, "german", "Freundlich und deutlich.", speaks_all_languages=True),
    Voice(_id("Jonas"), "Jonas", "de-DE", "MALE", "de+m3", 45, "german", "Ruhig, für Erklärungen."),
    Voice(_id("Camille"), "Camille", "fr-FR", "FEMALE", "fr+f2", 57, "parisian", "Posée et chaleureuse."),
    Voice(_id("Olivier"), "Olivier", "fr-FR", "MALE", "fr+m1", 43),
    Voice(_id("Ines"), "Inés", "es-ES", "FEMALE", "es+f1", 57, "castilian", "Cercana y alegre."),
    Voice(_id("Mateo"), "Mateo", "es-MX", "MALE", "es-419+m4", 46, "mexican", "Con calma."),
    Voice(_id("Giulia"), "Giulia", "it-IT", "FEMALE", "it+f3", 56, None, "Solare, per storie brevi."),
    Voice(_id("Bea"), "Beatriz", "pt-BR", "FEMALE", "pt-br+f2", 55, "brazilian", "Leve e clara."),
    Voice(
        _id("Anouk"), "Anouk", "nl-NL", "FEMALE", "nl+f4", 54, None,
        "For whole videos only; not offered for single lines.", supports_tools=False,
    ),
)  # fmt: skip

DEFAULT_VOICE = VOICES[0]
_BY_ID = {voice.id: voice for voice in VOICES}
_BY_NAME = {voice.name: voice for voice in VOICES}


def voice_for_speech(name: str | None) -> Voice:
    """The voice for text-to-speech; raise a 400 if it does not support the tool (docs/api-notes.md#tools)."""
    if name is None:
        return DEFAULT_VOICE
    voice = find_voice(name)
    if not voice.supports_tools:
        raise invalid_parameters(f"voiceId is {voice.name}, which does not support text-to-speech")
    return voice


def find_voice(name: str) -> Voice:
    """Find by id or, as in API version 2, by display name; raise a 404 for an unknown voice."""
    voice = _BY_NAME.get(name) or _BY_ID.get(check_id(name, VOICE, "voice"))
    if voice is None:
        raise not_found("Voice")
    return voice


def voice_filter(voice_id: str) -> Voice:
    """The voice of a query parameter; raise a 400 for a malformed or unknown id."""
    voice = _BY_ID.get(check_id(voice_id, VOICE, "voice"))
    if voice is None:
        raise invalid_parameters("voiceId is not a known voice")
    return voice


def voice_by_id(voice_id: str) -> Voice:
    return _BY_ID[voice_id]


def language_error(voice: Voice, language: str | None) -> ApiError | None:
    """A 400 if the voice does not speak the language, else None."""
    if language is None or voice.speaks_all_languages:
        return None
    if language.split("-")[0].lower() == voice.language.split("-")[0]:
        return None
    return invalid_parameters(f"speechLanguageCode {language} is not spoken by {voice.name}")
