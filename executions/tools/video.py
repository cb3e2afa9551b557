"""Tools that make videos, from a prompt, images or recordings, or from other videos."""

from __future__ import annotations

from executions.tools.common_fields import (
    ASPECT_RATIO,
    AUDIO_FIELDS,
    ENTITIES,
    PROMPT_REWRITES,
    VISUAL_FIELDS,
    quality,
    source,
)
from executions.tools.field_types import Choice, Files, Ids, Number, PresenterPicker, Switch, Text
from executions.tools.tool import AUDIO, IMAGE, VIDEO, Tool

GENERATE_VIDEO_CLIP = Tool(
    slug="generate-video-clip",
    tool_type="GENERATE_VIDEO_CLIP",
    label="Clip",
    noun="video clip",
    icon="clapperboard",
    media=VIDEO,
    subject="prompt",
    at_least_one=(
        "prompt",
        "imageFileIds",
        "videoFileIds",
        "audioFileIds",
        "startFrameFileId",
        "spokenDialogue",
    ),
    fields=(
        Text(
            name="prompt",
            label="Prompt",
            placeholder="Waves against the pier in slow motion, seen from above",
        ),
        Files(
            name="imageFileIds",
            label="Reference images",
            help="Up to four, to animate or to use as a reference.",
            media=(IMAGE,),
            max_files=4,
            is_list=True,
        ),
        Files(
            name="videoFileIds",
            label="Source video",
            help="One video to restyle.",
            media=(VIDEO,),
            max_files=1,
            is_list=True,
            until="0.0",
        ),
        Files(
            name="videoFileIds",
            label="Source videos",
            help="Up to four, to guide motion or style.",
            media=(VIDEO,),
            max_files=4,
            is_list=True,
            since="1.1",
        ),
        Files(
            name="audioFileIds",
            label="Recordings",
            help="Up to four, for lip-sync or soundtrack.",
            media=(AUDIO,),
            max_files=4,
            is_list=True,
            since="1.1",
            advanced=True,
        ),
        Files(
            name="startFrameFileId",
            label="First frame",
            media=(IMAGE,),
            since="2",
            advanced=True,
        ),
        Number(
            name="durationSeconds",
            label="Length",
            low=1,
            high=15,
            initial=6,
            unit="s",
            since="1.1",
            until="1.1",
        ),
        Number(
            name="durationSeconds",
            label="Length",
            help="Leave empty for automatic length.",
            low=1,
            high=30,
            unit="s",
            since="2",
        ),
        ASPECT_RATIO,
        Switch(
            name="generateAudio",
            label="With sound",
            help="Turning this off does not guarantee a silent clip.",
        ),
        *quality("quality", ("STANDARD", "HIGH"), ("LOW", "STANDARD", "HIGH", "MAX")),
        Text(
            name="spokenDialogue",
            label="Spoken line",
            multiline=False,
            max_length=2000,
            since="2",
            advanced=True,
        ),
        Text(
            name="voiceDescription",
            label="Voice description",
            multiline=False,
            max_length=500,
            since="2",
            advanced=True,
        ),
        Switch(name="suppressBackgroundMusic", label="No background music", since="2", advanced=True),
        PROMPT_REWRITES,
        *VISUAL_FIELDS,
    ),
)

GENERATE_AVATAR = Tool(
    slug="generate-avatar",
    tool_type="GENERATE_AVATAR",
    label="Avatar",
    noun="avatar",
    icon="circle-user",
    media=VIDEO,
    subject="",
    action="Avatar from",
    recording_field="audioFileId",
    fields=(
        PresenterPicker(name="avatarPresenterId", label="Presenter", required=True, until="1.1"),
        Ids(
            name="actorEntityId",
            label="Actor",
            help="The id of an actor with a picture (vg_enti_…). Your API version has no presenters.",
            required=True,
            is_list=False,
            since="2",
        ),
        source(AUDIO, "Recording", help="An uploaded recording or a finished speech."),
        *quality("avatarQuality", ("STANDARD",), ("LOW", "STANDARD", "HIGH", "MAX"))[1:],
        *VISUAL_FIELDS,
    ),
)

IMAGE_3D_EFFECT = Tool(
    slug="image-3d-effect",
    tool_type="IMAGE_3D_EFFECT",
    label="3D effect",
    noun="3D effect",
    icon="box",
    media=VIDEO,
    subject="",
    action="3D effect of",
    since="1.1",
    fields=(source(IMAGE, "Image"), *VISUAL_FIELDS),
)

REMOVE_VIDEO_BACKGROUND = Tool(
    slug="remove-video-background",
    tool_type="REMOVE_VIDEO_BACKGROUND",
    label="Remove video background",
    noun="video without background",
    icon="scissors-line-dashed",
    media=VIDEO,
    subject="",
    action="Remove background from",
    fields=(source(VIDEO, "Video"), *VISUAL_FIELDS),
)

UPSCALE_VIDEO = Tool(
    slug="upscale-video",
    tool_type="UPSCALE_VIDEO",
    label="Upscale video",
    noun="larger video",
    icon="scaling",
    media=VIDEO,
    subject="",
    action="Upscale",
    fields=(source(VIDEO, "Video"), *VISUAL_FIELDS),
)

GENERATE_MOTION_GRAPHIC = Tool(
    slug="generate-motion-graphic",
    tool_type="GENERATE_MOTION_GRAPHIC",
    label="Motion graphic",
    noun="motion graphic",
    icon="type",
    media=VIDEO,
    subject="prompt",
    since="2",
    fields=(
        Text(
            name="prompt",
            label="Prompt",
            required=True,
            placeholder="A lower third: “Inês Duarte, marine biologist”",
        ),
        Files(name="fileIds", label="Media to show", help="Up to eight.", max_files=8, is_list=True),
        Number(
            name="durationSeconds",
            label="Length",
            help="Leave empty for automatic length.",
            low=1,
            high=300,
            unit="s",
        ),
        ASPECT_RATIO,
        Switch(
            name="transparentBackground",
            label="Transparent background",
            help="A WebM with transparency. Turn off for an MP4.",
            initial=True,
        ),
        ENTITIES,
        *(
            Choice(
                name=name,
                inside="subToolModes",
                label=label,
                options=(("AUTO", "Automatic"), ("ENABLED", "Yes"), ("DISABLED", "No")),
                initial="AUTO",
                advanced=True,
            )
            for name, label in (
                ("generateImages", "Generate images"),
                ("generateVideoClips", "Generate clips"),
                ("generateVoiceover", "Generate a voiceover"),
                ("searchStockMedia", "Use stock media"),
            )
        ),
        *AUDIO_FIELDS,
    ),
)
