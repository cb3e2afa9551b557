"""The form, a batch row and a direct call validate every value of every field alike, with the same messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.datastructures import MultiValueDict

from dashboard.forms.batch_rows import Library, RawRow, check
from dashboard.forms.tool_form import ToolForm
from executions import tools
from executions.account import presenters, voices
from executions.batches import insert as batch_insert
from executions.batches import service as batches
from executions.batches.rows import Row
from executions.core.ids import uuid7
from executions.lifecycle import create, queue_actions
from executions.models import Batch, File
from executions.tools import field_types as spec
from executions.tools.validation import ValidatedBody, already_validated
from executions.videogen import Presenter, Voice
from tests.dashboard.forms.test_every_field import CASES, bad, filled, good, make_files

pytestmark = pytest.mark.one_engine  # rejected input never reaches the database

AVATAR = "generate-avatar"


@pytest.fixture(autouse=True)
def offered(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """The account has one voice and one presenter."""
    voice = Voice(voice_id="vg_voic_1", display_name="Ada", language_code="en")
    presenter = Presenter(presenter_id="vg_pres_1")
    monkeypatch.setattr(voices, "usable", lambda: ([voice], ""))
    monkeypatch.setattr(presenters, "usable", lambda: ([presenter], ""))


type Verdict = dict[str, str]


def by_form(tool: tools.Tool, sent: dict[str, Any]) -> tuple[Verdict, Any]:
    form = ToolForm(tool, form_data(sent))
    is_valid = form.is_valid()
    found = {"" if name == "__all__" else name: errors[0] for name, errors in form.errors.items()}
    return found, (form.body, form.speech) if is_valid else None


def by_row(tool: tools.Tool, sent: dict[str, Any]) -> tuple[list[str], Any]:
    found = check(tool, [RawRow(1, form_data(sent))], Library(file_names(tool, sent)))
    [row] = found.rows or [None]
    return [each.message for each in found.problems], (row.body, row.speech) if row else None


def directly(tool: tools.Tool, sent: dict[str, Any]) -> tuple[tools.ValidationResult, Any]:
    """As for a caller without forms: no value for empty input, lists as lists."""
    choices = tools.AccountChoices(["vg_voic_1"], ["vg_pres_1"], File.objects.by_remote_id)
    switches = {each.name: False for each in tool.fields if isinstance(each, spec.Switch)}
    found = tools.validate(tool, {**switches, **filled(sent)}, choices)
    return found, (found.body, found.speech) if found.body is not None else None


def form_data(sent: dict[str, Any]) -> Any:
    data: MultiValueDict[str, Any] = MultiValueDict()
    for name, value in filled(sent).items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def file_names(tool: tools.Tool, sent: dict[str, Any]) -> Iterator[str]:
    for each in tool.file_fields:
        yield from sent.get(each.name) or []


def assert_alike(tool: tools.Tool, sent: dict[str, Any], what: str) -> Verdict:
    form, form_body = by_form(tool, sent)
    row, row_body = by_row(tool, sent)
    direct, direct_body = directly(tool, sent)
    assert form == direct.errors, what
    assert row == direct.messages, what
    assert form_body == row_body == direct_body, what
    return form


@pytest.mark.parametrize(("api_version", "slug"), CASES)
def test_every_field_is_validated_alike(settings: Any, api_version: str, slug: str) -> None:
    settings.VIDEOGEN_API_ERA = api_version
    tool = tools.available()[slug]
    files = make_files()
    right = {field.name: good(field, files) for field in tool.fields}

    assert assert_alike(tool, right, "all valid") == {}
    for field in tool.fields:
        for wrong, value in bad(field, files):
            found = assert_alike(tool, {**right, field.name: value}, f"{field.name}: {wrong}")
            assert list(found) == [field.name], f"{field.name}: {wrong}"


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"audioFileId": []}, ["audioFileId"]),
        ({"speech": "Good evening"}, ["speech"]),
        ({"audioFileId": [], "speech": "Good evening"}, ["speechVoice"]),
        ({"audioFileId": [], "speech": "Good evening", "speechVoice": "vg_voic_9"}, ["speechVoice"]),
        ({"audioFileId": [], "speech": "x" * 5001, "speechVoice": "vg_voic_1"}, ["speech", "audioFileId"]),
        ({"audioFileId": [], "speech": "Good evening", "speechVoice": "vg_voic_1"}, []),
    ],
)
def test_recording_and_script_are_validated_alike(
    settings: Any, changes: dict[str, Any], names: list[str]
) -> None:
    settings.VIDEOGEN_API_ERA = "1.1"
    tool = tools.available()[AVATAR]
    files = make_files()
    right = {field.name: good(field, files) for field in tool.fields}

    assert list(assert_alike(tool, {**right, **changes}, str(changes))) == names


def test_a_required_alternative_is_validated_alike(settings: Any) -> None:
    settings.VIDEOGEN_API_ERA = "2"
    tool = next(each for each in tools.available().values() if each.at_least_one)
    required = {field.name: good(field, make_files()) for field in tool.fields if field.required}
    sent = {name: value for name, value in required.items() if name not in tool.at_least_one}

    assert list(assert_alike(tool, sent, "nothing to start from")) == [""]


def test_an_unknown_field_is_reported() -> None:
    found = tools.validate(
        tools.available()["generate-image"],
        {"prompt": "x", "numResults": 1, "tempo": 9},
        tools.AccountChoices(),
    )

    assert found.errors == {"tempo": "This tool does not have this field."}
    assert found.body is None


def test_api_values_are_accepted_like_form_values() -> None:
    tool = tools.available()["text-to-speech"]
    values = {"ttsText": "nginx", "voiceId": "v", "numResults": 2}
    pairs = [{"original": "nginx", "replacement": "engine x"}]
    choices = tools.AccountChoices(voices=["v"])

    found = tools.validate(tool, {**values, "pronunciationReplacements": pairs}, choices)
    as_text = tools.validate(tool, {**values, "pronunciationReplacements": "nginx = engine x"}, choices)

    assert found.body == as_text.body == {**values, "pronunciationReplacements": pairs}
    wrong = tools.validate(tool, {**values, "ttsText": ["x"], "pronunciationReplacements": [3]}, choices)
    assert list(wrong.errors) == ["ttsText", "pronunciationReplacements"]


def test_rows_with_replacements_can_be_run_again() -> None:
    from dashboard.forms.batch_rows import recheck

    pairs = [{"original": "nginx", "replacement": "engine x"}]
    body = {"ttsText": "nginx", "voiceId": "vg_voic_1", "numResults": 1, "pronunciationReplacements": pairs}
    found = recheck(tools.available()["text-to-speech"], [Row(1, already_validated(body))])

    assert [row.body for row in found.rows] == [body]
    assert found.problems == []


# --- an unvalidated body ----------------------------------------------------------------------------------


BODY = {"prompt": "a pier", "numResults": 1}
IMAGE = tools.TOOLS["generate-image"]


def test_only_the_catalogue_makes_a_validated_body() -> None:
    with pytest.raises(TypeError):
        ValidatedBody(BODY)
    body = already_validated(BODY)
    changes = [
        lambda: body.update(prompt="x"),
        lambda: body.pop("prompt"),
        lambda: body.__setitem__("prompt", "x"),
        lambda: body.__ior__({"prompt": "x"}),
        body.clear,
    ]
    for change in changes:
        with pytest.raises(TypeError):
            change()
    assert body == BODY
    assert type(body | {"prompt": "x"}) is dict, "what was changed afterwards is not validated any more"


def test_an_unvalidated_body_creates_nothing(people: Any) -> None:
    body: Any = BODY
    job, _ = create.start(tool=IMAGE, body=already_validated(BODY), actor=people.ann)
    batch = Batch(pk=uuid7(), tool=IMAGE.slug, created_by=people.ann)
    attempts = [
        lambda: create.start(tool=IMAGE, body=body, actor=people.ann),
        lambda: queue_actions.edit(job, IMAGE, body, before=BODY, actor=people.ann),
        lambda: batches.plan(IMAGE, [Row(1, body)], name="x", actor=people.ann),
        lambda: batch_insert.insert(batch, [Row(1, body)]),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError, match="validated body"):
            attempt()
