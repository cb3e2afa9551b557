"""The account's voices, for text-to-speech."""

from __future__ import annotations

from executions.account import cached_lists
from executions.videogen import VideoGen, Voice


def usable() -> tuple[list[Voice], str]:
    """The voices that work in tools, sorted by language and name, and a message if they could not be loaded, else "".

    For views (sync).
    """
    entries = cached_lists.cached("voices", VideoGen.list_voices)
    if entries is None:
        return [], "The voices could not be loaded. Try again in a moment."
    voices = [Voice.from_wire(raw) for raw in entries]
    # Other voices work in workflows only (docs/api-notes.md#tools).
    voices = [voice for voice in voices if voice.supports_direct_tool_execution and not voice.is_deprecated]
    return sorted(voices, key=lambda voice: (voice.language_code, voice.display_name)), ""
