"""Tools that make videos: from words, pictures or recordings, or from other videos."""

from __future__ import annotations

from executions.tools.common_fields import ENTITIES, REWRITES, SEEN, SHAPE, SPOKEN, quality, source
from executions.tools.fields import Choice, Files, Ids, Number, Presenter, Switch, Text
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
            help="Up to four, to animate or to be guided by.",
            media=(IMAGE,),
            most=4,
            is_list=True,
        ),
        Files(
            name="videoFileIds",
            label="Source video",
            help="One video to restyle.",
            media=(VIDEO,),
            most=1,
            is_list=True,
            until="0.0",
        ),
        Files(
            name="videoFileIds",
            label="Source videos",
            help="Up to four, to guide motion or style.",
            media=(VIDEO,),
            most=4,
            is_list=True,
            since="1.1",
        ),
        Files(
            name="audioFileIds",
            label="Recordings",
            help="Up to four, for lip-sync or soundtrack.",
            media=(AUDIO,),
            most=4,
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
            help="Empty leaves it to VideoGen.",
            low=1,
            high=30,
            unit="s",
            since="2",
        ),
        SHAPE,
        Switch(name="generateAudio", label="With sound", help="Off does not promise silence."),
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
            label="How the voice sounds",
            multiline=False,
            max_length=500,
            since="2",
            advanced=True,
        ),
        Switch(name="suppressBackgroundMusic", label="No background music", since="2", advanced=True),
        REWRITES,
        *SEEN,
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
    spoken="audioFileId",
    fields=(
        Presenter(name="avatarPresenterId", label="Presenter", required=True, until="1.1"),
        Ids(
            name="actorEntityId",
            label="Actor",
            help="The id of an actor with a picture (vg_enti_…): your API version has no presenters.",
            required=True,
            is_list=False,
            since="2",
        ),
        source(AUDIO, "What it says", help="A recording, or speech made before."),
        *quality("avatarQuality", ("STANDARD",), ("LOW", "STANDARD", "HIGH", "MAX"))[1:],
        *SEEN,
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
    fields=(source(IMAGE, "Image"), *SEEN),
)

REMOVE_VIDEO_BACKGROUND = Tool(
    slug="remove-video-background",
    tool_type="REMOVE_VIDEO_BACKGROUND",
    label="Cut out video",
    noun="video without background",
    icon="scissors-line-dashed",
    media=VIDEO,
    subject="",
    action="Cut out",
    fields=(source(VIDEO, "Video"), *SEEN),
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
    fields=(source(VIDEO, "Video"), *SEEN),
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
        Files(name="fileIds", label="Media to show", help="Up to eight.", most=8, is_list=True),
        Number(
            name="durationSeconds",
            label="Length",
            help="Empty leaves it to VideoGen.",
            low=1,
            high=300,
            unit="s",
        ),
        SHAPE,
        Switch(
            name="transparentBackground",
            label="Transparent background",
            help="A WebM with transparency; off makes an MP4.",
            initial=True,
        ),
        ENTITIES,
        *(
            Choice(
                name=name,
                inside="subToolModes",
                label=label,
                options=(("AUTO", "As it sees fit"), ("ENABLED", "Yes"), ("DISABLED", "No")),
                initial="AUTO",
                advanced=True,
            )
            for name, label in (
                ("generateImages", "May make images"),
                ("generateVideoClips", "May make clips"),
                ("generateVoiceover", "May make a voiceover"),
                ("searchStockMedia", "May use stock media"),
            )
        ),
        *SPOKEN,
    ),
)
