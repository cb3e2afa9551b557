"""Checks of tool inputs beyond the types of single fields: voices and presenters."""

from __future__ import annotations

from typing import Any

from sandbox.presenters import find_presenter
from sandbox.voices import language_error, voice_for_speech


def check_speech(values: dict[str, Any]) -> None:
    """Set ``voiceId`` to the id of the chosen voice; raise ApiError for an unsuitable voice or language."""
    voice = voice_for_speech(values.get("voiceId"))
    error = language_error(voice, values.get("speechLanguageCode"))
    if error is not None:
        raise error
    values["voiceId"] = voice.id


def check_presenter(values: dict[str, Any]) -> None:
    find_presenter(values.get("avatarPresenterId"), values.get("actorEntityId"))
