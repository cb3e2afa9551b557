"""text-to-speech: espeak-ng speaks the text with one of the voices."""

from __future__ import annotations

import re

import numpy as np

from sandbox.art import espeak, sound
from sandbox.makers.base import MakerError, Media, Task, title
from sandbox.voices import Voice, voice_by_id

_PAUSE_SECONDS = 0.15
_EXPANSIONS: dict[str, dict[str, str]] = {
    "en": {"&": " and ", "%": " percent", "@": " at ", "+": " plus ", "=": " equals ", "e.g.": "for example",
           "i.e.": "that is", "etc.": "and so on", "Dr.": "Doctor", "Mr.": "Mister", "vs.": "versus"},
    "de": {"&": " und ", "%": " Prozent", "@": " at ", "+": " plus ", "=": " gleich ", "z.B.": "zum Beispiel",
           "z. B.": "zum Beispiel", "usw.": "und so weiter", "Dr.": "Doktor"},
    "fr": {"&": " et ", "%": " pour cent", "@": " arobase ", "+": " plus ", "=": " égale ", "etc.": "et cetera"},
    "es": {"&": " y ", "%": " por ciento", "@": " arroba ", "+": " más ", "=": " igual a ", "etc.": "etcétera"},
    "it": {"&": " e ", "%": " per cento", "@": " chiocciola ", "+": " più ", "=": " uguale ", "ecc.": "eccetera"},
}  # fmt: skip
"""Spoken forms of symbols and abbreviations, for autoExpandPronunciationReplacements."""


def make(task: Task) -> Media:
    request = task.request
    voice = voice_by_id(request["voiceId"])
    text = request["ttsText"]
    language = (request["speechLanguageCode"] or voice.language).lower()
    spoken = _apply_replacements(text, request["pronunciationReplacements"] or [])
    if request["autoExpandPronunciationReplacements"]:
        spoken = expand_symbols(spoken, language)
    # Each result has a slightly different pitch.
    pitch = voice.pitch + (0, 4, -4, 7, -7)[task.index % 5]
    samples = _speak(spoken, voice, language, request["voiceSpeed"] or 1.0, pitch)
    task.report(0.6)
    pause = np.zeros(int(espeak.RATE * _PAUSE_SECONDS), dtype=np.int16)
    samples = np.concatenate([pause, samples, pause])
    download = sound.save_wav(samples, espeak.RATE, task.folder)
    return Media(
        type="AUDIO",
        display_name=title(text),
        download=download,
        preview=sound.save_mp3(samples, espeak.RATE, task.folder),
        hls=sound.save_stream(samples, espeak.RATE, task.folder),
        duration=round(len(samples) / espeak.RATE, 3),
        transcript=text,
        language=language.split("-")[0],
        description=f"{voice.name} says: {title(text, 300)}",
    )


def _apply_replacements(text: str, pairs: list[dict[str, str]]) -> str:
    """Apply the custom pronunciations, longest originals first, each word at most once."""
    if not pairs:
        return text
    spoken = {pair["original"].casefold(): pair["replacement"] for pair in pairs}
    originals = sorted(spoken, key=len, reverse=True)
    pattern = "|".join(re.escape(original) for original in originals)
    return re.sub(
        rf"(?<!\w)(?:{pattern})(?!\w)",
        lambda match: spoken.get(match[0].casefold(), match[0]),
        text,
        flags=re.IGNORECASE,
    )


def expand_symbols(text: str, language: str) -> str:
    for symbol, words in _EXPANSIONS.get(language.split("-")[0], _EXPANSIONS["en"]).items():
        text = text.replace(symbol, words)
    return text


def _speak(text: str, voice: Voice, language: str, speed: float, pitch: int) -> np.ndarray:
    names = [voice.espeak]
    if language.split("-")[0] != voice.language.split("-")[0].lower():
        names = [language + voice.variant, language.split("-")[0] + voice.variant]
    for name in names:
        try:
            samples = np.frombuffer(espeak.speak(text, name, speed, pitch), dtype=np.int16)
        except espeak.SpeechError:
            continue
        return samples
    raise MakerError(f"The language {language} cannot be spoken.", "unsupported_language")
