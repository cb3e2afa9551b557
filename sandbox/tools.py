"""The tools: their inputs and makers. To add a tool, add an entry here and a module in ``sandbox/makers``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import checks
from sandbox.fields import (
    Choice,
    Field,
    FileId,
    FileIds,
    Flag,
    Number,
    Object,
    Ratio,
    Replacements,
    Text,
    Texts,
)

WIDESCREEN = {"width": 16, "height": 9}
QUALITIES = ("LOW", "STANDARD", "HIGH", "MAX")

NUM_RESULTS = Number(name="numResults", minimum=1, maximum=100, integer=True, default=1)
TEMPORARY = Flag(name="isOutputTemporary", default=False)
HIDE_FROM_UI = Flag(name="hideFromUi", default=False, since="2")
WATERMARK = Choice(name="watermarkMode", values=("NONE", "VIDEO_GEN", "AUTO"), default="AUTO")
RATIO = Ratio(name="aspectRatio", default=WIDESCREEN)
QUALITY = Choice(
    name="quality", values=QUALITIES, default="STANDARD", since="1.0", required_in=("1.0", "1.1")
)
POLICY = Object(
    name="contentPolicyConfig",
    since="2",
    members=(Number(name="maxPromptRewrites", minimum=0, maximum=4, integer=True, default=0),),
)
ENTITIES = Texts(name="entityIds", since="2")
PROMPT = Text(name="prompt", required=True, min_length=1)
COMMON = (NUM_RESULTS, TEMPORARY, HIDE_FROM_UI)

IMAGE_SOURCE = (
    FileId(name="imageStorageFileId", file_type="IMAGE", until="1.1"),
    FileId(name="imageFileId", file_type="IMAGE", since="2"),
    WATERMARK,
    *COMMON,
)
ONE_IMAGE = (("imageStorageFileId",), ("imageFileId",))
VIDEO_SOURCE = (
    FileId(name="videoStorageFileId", file_type="VIDEO", until="1.1"),
    FileId(name="videoFileId", file_type="VIDEO", since="2"),
    WATERMARK,
    *COMMON,
)
ONE_VIDEO = (("videoStorageFileId",), ("videoFileId",))
MODES = ("AUTO", "ENABLED", "DISABLED")


@dataclass(frozen=True)
class Tool:
    """``seconds``: minimum and maximum duration of one result at speed 1. ``maker``: a module of ``sandbox.makers``."""

    slug: str
    maker: str
    result_type: str
    seconds: tuple[float, float]
    fields: tuple[Field, ...]
    since: str = "0.0"
    one_of: tuple[tuple[str, ...], ...] = ()
    """Sets of fields. At least one set must be given completely."""
    check: Callable[[dict[str, Any]], None] | None = None
    """Further validation; raises ApiError."""

    @property
    def tool_type(self) -> str:
        """GENERATE_IMAGE for generate-image (docs/api-notes.md#tools)."""
        return self.slug.replace("-", "_").upper()


_TABLE = (
    Tool(
        slug="generate-image",
        maker="picture",
        result_type="IMAGE",
        seconds=(2.0, 4.0),
        fields=(
            PROMPT,
            FileIds(name="imageFileIds", file_type="IMAGE", max_items=4),
            RATIO,
            QUALITY,
            ENTITIES,
            POLICY,
            WATERMARK,
            *COMMON,
        ),
    ),
    Tool(
        slug="generate-video-clip",
        maker="clip",
        result_type="VIDEO",
        seconds=(6.0, 10.0),
        fields=(
            Text(name="prompt", min_length=1),
            FileIds(name="imageFileIds", file_type="IMAGE", max_items=4),
            FileId(name="videoFileId", file_type="VIDEO", until="0.0"),
            FileIds(name="videoFileIds", file_type="VIDEO", max_items=4, since="1.0"),
            FileIds(name="audioFileIds", file_type="AUDIO", max_items=4, since="1.0"),
            FileId(name="startFrameFileId", file_type="IMAGE", since="2"),
            Text(name="spokenDialogue", since="2"),
            Text(name="voiceDescription", since="2"),
            Flag(name="generateAudio", default=False),
            Flag(name="suppressBackgroundMusic", default=False, since="2"),
            Number(name="durationSeconds", minimum=1, maximum=30, integer=True, nullable=True, since="1.1"),
            RATIO,
            QUALITY,
            POLICY,
            WATERMARK,
            *COMMON,
        ),
        one_of=(
            ("prompt",),
            ("imageFileIds",),
            ("videoFileId",),
            ("videoFileIds",),
            ("audioFileIds",),
            ("startFrameFileId",),
            ("spokenDialogue",),
        ),
    ),
    Tool(
        slug="text-to-speech",
        maker="speech",
        result_type="AUDIO",
        seconds=(1.0, 2.0),
        fields=(
            Text(name="ttsText", required=True, min_length=1),
            Text(name="voiceId", nullable=True, required_in=("1.1", "2", "2.5")),
            Text(name="speechLanguageCode", nullable=True),
            Replacements(name="pronunciationReplacements"),
            Flag(name="autoExpandPronunciationReplacements", default=False),
            Number(name="voiceSpeed", minimum=0.5, maximum=2),
            *COMMON,
        ),
        check=checks.check_speech,
    ),
    Tool(
        slug="generate-sound-effect",
        maker="sound_effect",
        result_type="AUDIO",
        seconds=(1.5, 3.0),
        fields=(
            PROMPT,
            Number(name="durationSeconds", minimum=1, maximum=30, nullable=True),
            Number(name="promptInfluence", minimum=0, maximum=1, nullable=True),
            *COMMON,
        ),
    ),
    Tool(
        slug="generate-avatar",
        maker="avatar",
        result_type="VIDEO",
        seconds=(5.0, 9.0),
        fields=(
            Text(name="avatarPresenterId", until="1.1"),
            FileId(name="audioStorageFileId", file_type="AUDIO", until="1.1"),
            Text(name="actorEntityId", since="2"),
            FileId(name="audioFileId", file_type="AUDIO", since="2"),
            Choice(name="avatarQuality", values=QUALITIES, since="2"),
            WATERMARK,
            *COMMON,
        ),
        one_of=(("avatarPresenterId", "audioStorageFileId"), ("actorEntityId", "audioFileId")),
        check=checks.check_presenter,
    ),
    Tool("vectorize-image", "vector", "IMAGE", (1.5, 3.0), IMAGE_SOURCE, one_of=ONE_IMAGE),
    Tool("remove-image-background", "image_background", "IMAGE", (2.0, 3.5), IMAGE_SOURCE, one_of=ONE_IMAGE),
    Tool("remove-video-background", "video_background", "VIDEO", (5.0, 9.0), VIDEO_SOURCE, one_of=ONE_VIDEO),
    Tool("upscale-image", "upscale_image", "IMAGE", (2.0, 3.5), IMAGE_SOURCE, one_of=ONE_IMAGE),
    Tool("upscale-video", "upscale_video", "VIDEO", (5.0, 9.0), VIDEO_SOURCE, one_of=ONE_VIDEO),
    Tool("generate-music", "music", "AUDIO", (4.0, 7.0), (PROMPT, *COMMON), since="1.0"),
    Tool("image-3d-effect", "parallax", "VIDEO", (4.0, 7.0), IMAGE_SOURCE, since="1.0", one_of=ONE_IMAGE),
    Tool(
        slug="generate-motion-graphic",
        maker="motion",
        result_type="VIDEO",
        seconds=(4.0, 8.0),
        fields=(
            PROMPT,
            FileIds(name="fileIds", file_type=None, max_items=8),
            ENTITIES,
            Number(name="durationSeconds", minimum=1, maximum=300, integer=True, nullable=True),
            RATIO,
            Flag(name="transparentBackground", default=True),
            Object(
                name="subToolModes",
                members=tuple(
                    Choice(name=name, values=MODES)
                    for name in (
                        "generateImages",
                        "generateVideoClips",
                        "generateVoiceover",
                        "searchStockMedia",
                    )
                ),
            ),
            *COMMON,
        ),
        since="2",
    ),
)
TOOLS = {tool.slug: tool for tool in _TABLE}
