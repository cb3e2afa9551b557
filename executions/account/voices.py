"""The voices that text-to-speech can use, as the account has them."""

from __future__ import annotations

from executions.account import cached_lists
from executions.videogen import VideoGen, Voice


def usable() -> tuple[list[Voice], str]:
    """Voices for a tool, by language and name, and a sentence when they could not be read. For views (sync)."""
    known = cached_lists.remembered("voices", VideoGen.list_voices)
    if known is None:
        return [], "The voices could not be read just now; VideoGen chooses one."
    voices = [Voice.from_wire(raw) for raw in known]
    # The others work in workflows only (docs/api-notes.md#tools).
    voices = [voice for voice in voices if voice.supports_direct_tool_execution and not voice.is_deprecated]
    return sorted(voices, key=lambda voice: (voice.language_code, voice.display_name)), ""
