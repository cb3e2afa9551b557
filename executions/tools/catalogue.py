"""The catalogue: one entry per tool of the API. Forms, validation, filters and pages are derived from it.

The tools and their fields are in image.py, video.py and audio.py. Fields, bounds and defaults follow
docs/api-notes.md#tools and docs/api-notes.md#api-versions, with the names of API version 2 (see api_versions.py). The
studio lists the tools in this order.
"""

from __future__ import annotations

from executions.tools import audio, image, video
from executions.tools.tool import Tool

ALL: tuple[Tool, ...] = (
    image.GENERATE_IMAGE,
    video.GENERATE_VIDEO_CLIP,
    audio.TEXT_TO_SPEECH,
    audio.GENERATE_SOUND_EFFECT,
    audio.GENERATE_MUSIC,
    video.GENERATE_AVATAR,
    image.VECTORIZE_IMAGE,
    image.REMOVE_IMAGE_BACKGROUND,
    image.UPSCALE_IMAGE,
    video.IMAGE_3D_EFFECT,
    video.REMOVE_VIDEO_BACKGROUND,
    video.UPSCALE_VIDEO,
    video.GENERATE_MOTION_GRAPHIC,
)
