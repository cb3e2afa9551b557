"""The catalogue: one entry per tool of the API. Forms, validation, filters and pages are derived from it.

Fields, bounds and defaults are those of CONTRACT sections 2 and 12; the names are those of era 2 (see eras.py).
The order is that of the studio.
"""

from __future__ import annotations

from executions.tools import clips, pictures, sounds
from executions.tools.tool import Tool

ALL: tuple[Tool, ...] = (
    pictures.GENERATE_IMAGE,
    clips.GENERATE_VIDEO_CLIP,
    sounds.TEXT_TO_SPEECH,
    sounds.GENERATE_SOUND_EFFECT,
    sounds.GENERATE_MUSIC,
    clips.GENERATE_AVATAR,
    pictures.VECTORIZE_IMAGE,
    pictures.REMOVE_IMAGE_BACKGROUND,
    pictures.UPSCALE_IMAGE,
    clips.IMAGE_3D_EFFECT,
    clips.REMOVE_VIDEO_BACKGROUND,
    clips.UPSCALE_VIDEO,
    clips.GENERATE_MOTION_GRAPHIC,
)
