"""Tools that make audio: speech, sound effects and music."""

from __future__ import annotations

from executions.tools.common_fields import AUDIO_FIELDS
from executions.tools.field_types import Number, Replacements, Switch, Text, VoicePicker
from executions.tools.tool import AUDIO, Tool

TEXT_TO_SPEECH = Tool(
    slug="text-to-speech",
    tool_type="TEXT_TO_SPEECH",
    label="Speech",
    noun="speech",
    icon="mic",
    media=AUDIO,
    subject="ttsText",
    fields=(
        Text(
            name="ttsText",
            label="Script",
            required=True,
            placeholder="Welcome back. Today we look at what the tide leaves behind.",
        ),
        VoicePicker(name="voiceId", label="Voice", required_in=("1.1", "2")),
        Number(
            name="voiceSpeed",
            label="Speed",
            help="1× is normal. Leave empty for the voice’s default.",
            low=0.5,
            high=2,
            step=0.05,
            unit="×",
        ),
        Text(
            name="speechLanguageCode",
            label="Language",
            help="Two letters, such as en, es or zh. Leave empty for the voice’s default.",
            max_length=2,
            multiline=False,
            advanced=True,
        ),
        Replacements(
            name="pronunciationReplacements",
            label="Pronunciation",
            help="The written word and how to speak it.",
            advanced=True,
        ),
        Switch(
            name="autoExpandPronunciationReplacements",
            label="Speak numbers and symbols as words",
            advanced=True,
        ),
        *AUDIO_FIELDS,
    ),
)

GENERATE_SOUND_EFFECT = Tool(
    slug="generate-sound-effect",
    tool_type="GENERATE_SOUND_EFFECT",
    label="Sound",
    noun="sound effect",
    icon="audio-lines",
    media=AUDIO,
    subject="prompt",
    fields=(
        Text(
            name="prompt",
            label="Prompt",
            required=True,
            placeholder="Fog horn far away, gulls, a bell buoy",
        ),
        Number(
            name="durationSeconds",
            label="Length",
            help="Leave empty for about 10 seconds.",
            low=1,
            high=30,
            step=0.5,
            unit="s",
        ),
        Number(
            name="promptInfluence",
            label="Prompt influence",
            help="0 = loose, 1 = follow the prompt closely",
            low=0,
            high=1,
            step=0.05,
        ),
        *AUDIO_FIELDS,
    ),
)

GENERATE_MUSIC = Tool(
    slug="generate-music",
    tool_type="GENERATE_MUSIC",
    label="Music",
    noun="music",
    icon="music",
    media=AUDIO,
    subject="prompt",
    since="1.1",
    fields=(
        Text(
            name="prompt",
            label="Prompt",
            help="Genre, mood, instruments, tempo. The result is about 30 seconds long.",
            required=True,
            placeholder="Slow piano over a warm drone, hopeful, 70 bpm",
        ),
        *AUDIO_FIELDS,
    ),
)
