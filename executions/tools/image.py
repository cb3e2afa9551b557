"""Tools that make images, from a prompt or from other images."""

from __future__ import annotations

from executions.tools.common_fields import (
    ASPECT_RATIO,
    ENTITIES,
    PROMPT_REWRITES,
    VISUAL_FIELDS,
    quality,
    source,
)
from executions.tools.field_types import Files, Text
from executions.tools.tool import IMAGE, Tool

GENERATE_IMAGE = Tool(
    slug="generate-image",
    tool_type="GENERATE_IMAGE",
    label="Image",
    noun="image",
    icon="image",
    media=IMAGE,
    subject="prompt",
    fields=(
        Text(
            name="prompt",
            label="Prompt",
            required=True,
            placeholder="A lighthouse on a black cliff at dusk, long exposure, warm light in one window",
        ),
        Files(
            name="imageFileIds",
            label="Reference images",
            help="Up to four. Describe the change in the prompt.",
            media=(IMAGE,),
            max_files=4,
            is_list=True,
        ),
        ASPECT_RATIO,
        *quality("quality", ("LOW", "STANDARD", "HIGH"), ("LOW", "STANDARD", "HIGH", "MAX")),
        PROMPT_REWRITES,
        ENTITIES,
        *VISUAL_FIELDS,
    ),
)

VECTORIZE_IMAGE = Tool(
    slug="vectorize-image",
    tool_type="VECTORIZE_IMAGE",
    label="Vectorize",
    noun="vector image",
    icon="spline",
    media=IMAGE,
    subject="",
    action="Vectorize",
    fields=(source(IMAGE, "Image"), *VISUAL_FIELDS),
)

REMOVE_IMAGE_BACKGROUND = Tool(
    slug="remove-image-background",
    tool_type="REMOVE_IMAGE_BACKGROUND",
    label="Remove background",
    noun="image without background",
    icon="scissors",
    media=IMAGE,
    subject="",
    action="Remove background from",
    fields=(source(IMAGE, "Image"), *VISUAL_FIELDS),
)

UPSCALE_IMAGE = Tool(
    slug="upscale-image",
    tool_type="UPSCALE_IMAGE",
    label="Upscale",
    noun="larger image",
    icon="image-upscale",
    media=IMAGE,
    subject="",
    action="Upscale",
    fields=(source(IMAGE, "Image"), *VISUAL_FIELDS),
)
