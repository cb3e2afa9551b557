"""What several tools ask for: how many results, the watermark, the quality, a source to work on."""

from __future__ import annotations

from executions.tools.fields import Choice, Files, Ids, Number, Shape, Switch

RESULTS = Number(
    name="numResults",
    label="Takes",
    help="Each is a result of its own.",
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
    label="Keep out of VideoGen’s own media page",
    advanced=True,
    since="2",
)
WATERMARK = Choice(
    name="watermarkMode",
    label="Watermark",
    options=(("AUTO", "As the plan says"), ("VIDEO_GEN", "Always"), ("NONE", "Never (needs an add-on)")),
    initial="AUTO",
    advanced=True,
)
SPOKEN = (RESULTS, TEMPORARY, HIDDEN)
SEEN = (RESULTS, WATERMARK, TEMPORARY, HIDDEN)
REWRITES = Number(
    name="maxPromptRewrites",
    inside="contentPolicyConfig",
    label="Rephrase a refused prompt",
    help="How often VideoGen may reword a prompt that its moderation refused.",
    low=0,
    high=4,
    unit="times",
    advanced=True,
    since="2",
)
ENTITIES = Ids(
    name="entityIds",
    label="Characters, products or styles",
    help="Ids of VideoGen’s (vg_enti_…), one a line.",
    advanced=True,
    since="2",
)
SHAPE = Shape(name="aspectRatio", label="Shape")


def quality(name: str, first_words: tuple[str, ...], later_words: tuple[str, ...]) -> tuple[Choice, Choice]:
    """Era 1.1 demands a tier of fewer; era 2 has more and may be left to choose."""
    words = {"LOW": "Low", "STANDARD": "Standard", "HIGH": "High", "MAX": "Highest"}
    first = tuple((word, words[word]) for word in first_words)
    later = (("", "VideoGen’s own choice"), *((word, words[word]) for word in later_words))
    return (
        Choice(
            name=name,
            label="Quality",
            options=first,
            initial="STANDARD",
            always_sent=True,
            since="1.1",
            until="1.1",
        ),
        Choice(name=name, label="Quality", options=later, initial="", since="2", advanced=True),
    )


def source(media: str, label: str, **more: object) -> Files:
    return Files(name=f"{media.lower()}FileId", label=label, media=(media,), required=True, **more)  # type: ignore[arg-type]
