"""The catalogue of tools: what each input accepts, and how forms and request bodies are converted into each other."""

from __future__ import annotations

from typing import Any

import pytest

from executions import tools
from executions.tools import TOOLS, Tool
from executions.tools.api_versions import API_VERSIONS
from executions.tools.field_types import Choice, Files, Ids, Number, Replacements, Shape, Switch, Text
from tests.factories.tool_inputs import all_inputs, value_for

# Slug -> (tool type in executions, media type of the results). Source: docs/api-notes.md#tools.
DOCUMENTED = {
    "generate-image": ("GENERATE_IMAGE", "IMAGE"),
    "generate-video-clip": ("GENERATE_VIDEO_CLIP", "VIDEO"),
    "text-to-speech": ("TEXT_TO_SPEECH", "AUDIO"),
    "generate-sound-effect": ("GENERATE_SOUND_EFFECT", "AUDIO"),
    "generate-avatar": ("GENERATE_AVATAR", "VIDEO"),
    "vectorize-image": ("VECTORIZE_IMAGE", "IMAGE"),
    "remove-image-background": ("REMOVE_IMAGE_BACKGROUND", "IMAGE"),
    "remove-video-background": ("REMOVE_VIDEO_BACKGROUND", "VIDEO"),
    "upscale-image": ("UPSCALE_IMAGE", "IMAGE"),
    "upscale-video": ("UPSCALE_VIDEO", "VIDEO"),
    "generate-music": ("GENERATE_MUSIC", "AUDIO"),
    "image-3d-effect": ("IMAGE_3D_EFFECT", "VIDEO"),
    "generate-motion-graphic": ("GENERATE_MOTION_GRAPHIC", "VIDEO"),
}
# (tool, input, API version): the documented bounds. Source: docs/api-notes.md#tools and docs/api-notes.md#api-versions.
BOUNDS = {
    ("generate-sound-effect", "durationSeconds", "0.0"): (1, 30),
    ("generate-sound-effect", "promptInfluence", "0.0"): (0, 1),
    ("text-to-speech", "voiceSpeed", "0.0"): (0.5, 2),
    ("generate-video-clip", "durationSeconds", "1.1"): (1, 15),
    ("generate-video-clip", "durationSeconds", "2"): (1, 30),
    ("generate-motion-graphic", "durationSeconds", "2"): (1, 300),
    **{(slug, "numResults", "2"): (1, 100) for slug in DOCUMENTED},
}
MAX_FILES = {
    ("generate-image", "imageFileIds", "0.0"): 4,
    ("generate-video-clip", "imageFileIds", "0.0"): 4,
    ("generate-video-clip", "videoFileIds", "0.0"): 1,
    ("generate-video-clip", "videoFileIds", "1.1"): 4,
    ("generate-motion-graphic", "fileIds", "2"): 8,
}
IN_API_VERSIONS = [
    (tool, api_version) for tool in TOOLS.values() for api_version in API_VERSIONS if tool.is_in(api_version)
]
every_tool = pytest.mark.parametrize(
    ("tool", "api_version"),
    IN_API_VERSIONS,
    ids=[f"{tool.slug} in {api_version}" for tool, api_version in IN_API_VERSIONS],
)


def field_of(slug: str, name: str, api_version: str) -> Any:
    return next(field for field in TOOLS[slug].for_api_version(api_version).fields if field.name == name)


# --- the entries --------------------------------------------------------------------------------------------


def test_the_catalogue_has_the_documented_tools() -> None:
    assert {slug: (tool.tool_type, tool.media) for slug, tool in TOOLS.items()} == DOCUMENTED
    assert {tool_type: tool.slug for tool_type, tool in tools.BY_TYPE.items()} == {
        tool_type: slug for slug, (tool_type, _) in DOCUMENTED.items()
    }


@pytest.mark.parametrize(("where", "bounds"), BOUNDS.items(), ids=str)
def test_numbers_have_the_documented_bounds(where: tuple[str, str, str], bounds: tuple[float, float]) -> None:
    field = field_of(*where)

    assert (field.low, field.high) == bounds


@pytest.mark.parametrize(("where", "max_files"), MAX_FILES.items(), ids=str)
def test_file_lists_have_the_documented_bounds(where: tuple[str, str, str], max_files: int) -> None:
    assert field_of(*where).max_files == max_files


@every_tool
def test_a_tool_is_consistent_in_each_of_its_versions(tool: Tool, api_version: str) -> None:
    here = tool.for_api_version(api_version)
    names = [field.name for field in here.fields]

    assert len(names) == len(set(names)), "two inputs have the same name"
    assert here.subject in ("", *names)
    assert set(here.at_least_one) <= set(names)
    assert here.recording_field in ("", *names)
    assert here.label
    assert here.icon
    for field in here.fields:
        assert field.label
        if isinstance(field, Number):
            assert field.low < field.high
            assert field.initial is None or field.low <= field.initial <= field.high
        if isinstance(field, Choice):
            assert field.initial in dict(field.options)
        if isinstance(field, Files):
            assert field.is_list or field.max_files == 1
            assert set(field.media) <= {"IMAGE", "VIDEO", "AUDIO"}


@every_tool
def test_required_fields_are_not_under_more_options(tool: Tool, api_version: str) -> None:
    assert not [field.name for field in tool.for_api_version(api_version).advanced_fields if field.required]


# --- from a form to a request and back ------------------------------------------------------------------------


@every_tool
def test_a_full_form_becomes_a_request_and_a_form_again(tool: Tool, api_version: str) -> None:
    here = tool.for_api_version(api_version)
    values = all_inputs(here)

    body = here.body(values)

    sent = {field.inside or field.name for field in here.fields}
    assert set(body) == sent
    again = here.body(here.values(body) | _typed_again(here, body))
    assert again == body


def _typed_again(tool: Tool, body: dict[str, Any]) -> dict[str, Any]:
    """Values that the form shows as text, cleaned into lists again."""
    values = tool.values(body)
    return {
        field.name: values[field.name].split() if isinstance(field, Ids) else body[field.name]
        for field in tool.fields
        if isinstance(field, Ids | Replacements)
    }


@every_tool
def test_an_empty_form_requires_only_what_its_version_requires(tool: Tool, api_version: str) -> None:
    always_sent = {
        field.name
        for field in tool.for_api_version(api_version).fields
        if isinstance(field, Choice) and field.always_sent
    }
    here = tool.for_api_version(api_version)
    defaults = {field.name: getattr(field, "initial", None) for field in here.fields}
    numbers = {field.name for field in here.fields if isinstance(field, Number) and field.initial is not None}
    shapes = {field.name for field in here.fields if isinstance(field, Shape)}

    assert here.body({}).keys() <= always_sent | {
        f.name for f in here.fields if isinstance(f, Switch) and f.initial
    }
    assert set(here.body(defaults)) == always_sent | numbers | shapes


@every_tool
def test_all_parameters_are_shown_with_a_label_and_a_text(tool: Tool, api_version: str) -> None:
    here = tool.for_api_version(api_version)
    body = here.body(all_inputs(here))

    parameters = here.parameters(body | {"brandNew": 7})

    assert [label for label, _ in parameters] == [*(field.label for field in here.fields), "brandNew"]
    assert all(isinstance(text, str) and text for _, text in parameters)
    assert parameters[-1] == ("brandNew", "7")


@every_tool
def test_the_files_of_a_request_are_found(tool: Tool, api_version: str) -> None:
    here = tool.for_api_version(api_version)
    body = here.body(all_inputs(here))

    expected = [(field.name, remote_id) for field in here.file_fields for remote_id in value_for(field)]

    assert here.inputs(body) == expected


@every_tool
def test_a_job_has_a_title(tool: Tool, api_version: str) -> None:
    here = tool.for_api_version(api_version)
    body = here.body(all_inputs(here))

    title = here.title(body, {"vg_file_0": "cliff.png"})

    if here.subject:
        assert title == f"words for {here.subject}"
    else:
        assert "“cliff.png”" in title
        assert "“a file”" in here.title(body, {})


# --- single inputs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_empty_values_are_omitted(empty: Any) -> None:
    for field in (
        Text(name="x", label="X"),
        Number(name="x", label="X", low=0, high=1),
        Files(name="x", label="X"),
        Ids(name="x", label="X"),
        Replacements(name="x", label="X"),
        Shape(name="x", label="X"),
    ):
        assert field.to_body(empty) == {}


def test_zero_and_false_are_not_empty() -> None:
    assert Number(name="x", label="X", low=0, high=1).to_body(0) == {"x": 0}
    assert Switch(name="x", label="X", initial=True).to_body(False) == {"x": False}
    assert Switch(name="x", label="X", initial=True).to_body(True) == {}


def test_a_shape_is_sent_as_width_and_height() -> None:
    shape = Shape(name="aspectRatio", label="Shape")

    assert shape.to_body("9:16") == {"aspectRatio": {"width": 9, "height": 16}}
    assert shape.from_body({"aspectRatio": {"width": 9, "height": 16}}) == "9:16"
    assert shape.from_body({"aspectRatio": "wide"}) is None
    assert shape.from_body({}) is None


def test_the_default_choice_is_not_sent_unless_a_version_requires_it() -> None:
    options = (("AUTO", "as it is"), ("NONE", "never"))
    optional = Choice(name="x", label="X", options=options, initial="AUTO")
    required = Choice(name="x", label="X", options=options, initial="AUTO", always_sent=True)

    assert (optional.to_body("AUTO"), optional.to_body("NONE")) == ({}, {"x": "NONE"})
    assert required.to_body("AUTO") == {"x": "AUTO"}
    assert optional.show("NONE") == "never"
    assert optional.show("UNKNOWN") == "UNKNOWN"


def test_a_single_file_is_sent_as_an_id_and_several_as_a_list() -> None:
    single, several = Files(name="x", label="X"), Files(name="x", label="X", max_files=4, is_list=True)

    assert single.to_body(["a"]) == {"x": "a"}
    assert several.to_body(["a"]) == {"x": ["a"]}
    assert single.ids({"x": "a"}) == several.ids({"x": ["a"]}) == ["a"]
    assert single.ids({}) == several.ids({"x": None}) == []


def test_the_step_decides_whether_a_number_is_an_integer() -> None:
    assert Number(name="x", label="X", low=0, high=9).is_integer
    assert not Number(name="x", label="X", low=0, high=9, step=0.5).is_integer
    assert Number(name="x", label="X", low=0, high=9, unit="s").show(3) == "3 s"


def test_an_unknown_tool_is_shown_by_its_slug() -> None:
    tool = tools.find("make-hologram")

    assert (tool.tool_type, tool.label, tool.fields) == ("MAKE_HOLOGRAM", "Make hologram", ())
    assert tool.parameters({"depth": 3}) == [("depth", "3")]
    assert tool.request({"depth": 3}, "0.0") == {"depth": 3}
    assert tool.title({}, {}) == "Make hologram"


@pytest.mark.parametrize(("media", "slug"), [("IMAGE", "upscale-image"), ("VIDEO", "upscale-video")])
def test_the_type_of_a_file_decides_which_tools_accept_it(media: str, slug: str) -> None:
    accepting = {tool.slug: tool.field_for(media) for tool in tools.accepting(media)}

    assert slug in accepting
    for field in accepting.values():
        assert field is not None
        assert not field.media or media in field.media
    assert "text-to-speech" not in accepting
