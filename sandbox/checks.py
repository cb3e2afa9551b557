"""What a tool wants of its inputs beyond their shapes: voices that can speak, presenters that exist."""

from __future__ import annotations

from typing import Any

from sandbox.presenters import find_presenter
from sandbox.voices import language_problem, voice_for_speech


def check_speech(values: dict[str, Any]) -> None:
    """Put the chosen voice's id in place; refuse voices and languages that do not fit."""
    voice = voice_for_speech(values.get("voiceId"))
    problem = language_problem(voice, values.get("speechLanguageCode"))
    if problem is not None:
        raise problem
    values["voiceId"] = voice.id


def check_presenter(values: dict[str, Any]) -> None:
    find_presenter(values.get("avatarPresenterId"), values.get("actorEntityId"))
