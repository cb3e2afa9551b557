"""Fields that several tools share: number of results, watermark, quality, source file."""

from __future__ import annotations

from executions.tools.field_types import Choice, Files, Ids, Number, Shape, Switch

NUM_RESULTS = Number(
    name="numResults",
    label="Takes",
    help="Number of variations",
    low=1,
    high=100,
    initial=1,
    required=True,
)
TEMPORARY = Switch(
    name="isOutputTemporary",
    label="Temporary",
    help="VideoGen keeps the results for at least 24 hours, then may remove them.",
    advanced=True,
)
HIDDEN = Switch(
    name="hideFromUi",
    label="Hide from VideoGen’s media page",
    advanced=True,
    since="2",
)
WATERMARK = Choice(
    name="watermarkMode",
    label="Watermark",
    options=(("AUTO", "Plan default"), ("VIDEO_GEN", "Always"), ("NONE", "Never (needs an add-on)")),
    initial="AUTO",
    advanced=True,
)
AUDIO_FIELDS = (NUM_RESULTS, TEMPORARY, HIDDEN)
VISUAL_FIELDS = (NUM_RESULTS, WATERMARK, TEMPORARY, HIDDEN)
PROMPT_REWRITES = Number(
    name="maxPromptRewrites",
    inside="contentPolicyConfig",
    label="Retry with a reworded prompt",
    help="How often VideoGen may reword a prompt that its moderation rejected.",
    low=0,
    high=4,
    unit="times",
    advanced=True,
    since="2",
)
ENTITIES = Ids(
    name="entityIds",
    label="Characters, products or styles",
    help="VideoGen entity ids (vg_enti_…), one per line.",
    advanced=True,
    since="2",
)
ASPECT_RATIO = Shape(name="aspectRatio", label="Aspect ratio")


def quality(name: str, v1_tiers: tuple[str, ...], v2_tiers: tuple[str, ...]) -> tuple[Choice, Choice]:
    """The quality fields of API versions 1.1, which requires a tier, and 2, which has more tiers and a default."""
    labels = {"LOW": "Low", "STANDARD": "Standard", "HIGH": "High", "MAX": "Highest"}
    v1_options = tuple((tier, labels[tier]) for tier in v1_tiers)
    v2_options = (("", "Automatic"), *((tier, labels[tier]) for tier in v2_tiers))
    return (
        Choice(
            name=name,
            label="Quality",
            options=v1_options,
            initial="STANDARD",
            always_sent=True,
            since="1.1",
            until="1.1",
        ),
        Choice(name=name, label="Quality", options=v2_options, initial="", since="2", advanced=True),
    )


def source(media: str, label: str, **more: object) -> Files:
    """A required field for one file of type `media`."""
    return Files(name=f"{media.lower()}FileId", label=label, media=(media,), required=True, **more)  # type: ignore[arg-type]
