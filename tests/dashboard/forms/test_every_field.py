"""Every field of every tool in every API version: invalid input is reported at its field, kept, and starts nothing."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.datastructures import MultiValueDict

from dashboard.forms.tool_form import ToolForm
from executions import tools
from executions.account import presenters, voices
from executions.core import runtime
from executions.models import Execution
from executions.tools import api_versions
from executions.tools import field_types as spec
from tests.dashboard.browsers import HTMX, Browser
from tests.factories.files import file
from tests.markup import parse, plain_text

pytestmark = pytest.mark.one_engine  # rejected input never reaches the database

HOSTILE = "<script>alert(1)</script> {{ settings }} \u202etxet\u202c \N{CLAPPER BOARD} Ærø \"quoted\" 'too'"
OTHER_MEDIA = {"IMAGE": "AUDIO", "VIDEO": "IMAGE", "AUDIO": "VIDEO"}

CASES = [
    pytest.param(api_version, tool.slug, id=f"{api_version}-{tool.slug}")
    for api_version in api_versions.API_VERSIONS
    for tool in tools.TOOLS.values()
    if tool.is_in(api_version)
]


def make_files() -> dict[str, str]:
    """One file of each type in the library, by VideoGen's id."""
    return {media: file(type=media, display_name=f"a {media.lower()}").remote_id for media in OTHER_MEDIA}


def good(field: spec.Field, files: dict[str, str]) -> Any:
    """A valid value for this field."""
    match field:
        case spec.Text():
            return "en" if field.max_length == 2 else "a pier in the rain"
        case spec.Number():
            return str(field.low)
        case spec.Choice():
            return field.options[-1][0]
        case spec.Shape():
            return field.options[0]
        case spec.Switch():
            return "on"
        case spec.VoicePicker():
            return voices.usable()[0][0].voice_id
        case spec.PresenterPicker():
            return presenters.usable()[0][0].presenter_id
        case spec.Replacements():
            return "nginx = engine x"
        case spec.Ids():
            return "vg_enti_1"
        case spec.Files():
            return [files[field.media[0] if field.media else "IMAGE"]]
    raise AssertionError(f"unknown kind of field: {field}")


def bad(field: spec.Field, files: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """(error, value) for each way in which this field can be invalid."""
    if field.required:
        yield "missing", None
        yield "empty", [] if isinstance(field, spec.Files) else "  "
    match field:
        case spec.Text():
            yield "too long", "a" * (field.max_length + 1)
            yield "a character that cannot be sent", "a\x00b"
        case spec.Number():
            yield "not a number", "several"
            yield "too small", str(field.low - 1)
            yield "too large", str(field.high + 1)
            yield "not finite", "NaN"
            yield "hostile", HOSTILE
            if field.is_integer:
                yield "broken", str(field.low + 0.5)
        case spec.Choice() | spec.Shape() | spec.VoicePicker() | spec.PresenterPicker():
            yield "not offered", "something-else"
            yield "hostile", HOSTILE
        case spec.Replacements():
            yield "half a pair", "nginx"
            yield "half a pair", "= engine x"
            yield "too many", "\n".join(f"word{n} = words" for n in range(field.max_rows + 1))
            yield "too long", f"nginx = {'x' * 500}"
            yield "a character that cannot be sent", "ng\x00inx = engine x"
        case spec.Ids():
            yield "not an id", "Ærø"
            yield "too long", "v" * 500
            yield "too many", " ".join(f"vg_enti_{n}" for n in range(200 if field.is_list else 2))
            yield "a character that cannot be sent", "vg\x00"
        case spec.Files():
            yield "unknown", ["vg_file_unknown"]
            yield "hostile", [HOSTILE]
            yield "a character that cannot be sent", ["a\x00b"]
            yield "too many", [f"vg_file_{n}" for n in range(field.max_files + 1)]
            if field.media:
                yield "another type of media", [files[OTHER_MEDIA[field.media[0]]]]


def form_of(tool: tools.Tool, files: dict[str, str]) -> dict[str, Any]:
    return {"key": uuid.uuid4().hex, **{field.name: good(field, files) for field in tool.fields}}


def filled(sent: dict[str, Any]) -> dict[str, Any]:
    """Without missing values."""
    return {name: value for name, value in sent.items() if value is not None}


def wrong_fields(tool: tools.Tool, sent: dict[str, Any]) -> list[str]:
    """The fields that the form rejects."""
    data: MultiValueDict[str, Any] = MultiValueDict()
    for name, value in filled(sent).items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return list(ToolForm(tool, data).errors)


def started() -> int:
    return Execution.objects.count()


def shows(page: str, value: Any) -> bool:
    """Whether the form shows the input again."""
    for each in value if isinstance(value, list) else [value]:
        for part in re.split(r"[=\s]+", str(each)):
            if html.escape(part.replace("\x00", "")) not in page.replace("\x00", ""):
                return False
    return True


@pytest.mark.parametrize(("api_version", "slug"), CASES)
async def test_an_invalid_field_is_reported_and_nothing_starts(
    account: Any, ann_browser: Browser, settings: Any, api_version: str, slug: str
) -> None:
    settings.VIDEOGEN_API_ERA = api_version
    tool = tools.available()[slug]
    files = await runtime.in_db(make_files)
    right = await runtime.in_db(form_of, tool, files)
    wrongs = {field.name: list(bad(field, files)) for field in tool.fields}
    tried = 0
    for name, ways in wrongs.items():
        for wrong, value in ways:
            sent = {**right, name: value}
            assert await runtime.in_db(wrong_fields, tool, sent) == [name], f"{name}: {wrong}"
            tried += 1
    # Rendering the page takes a hundred times as long as validating, so it is rendered with all fields invalid at once.
    for number in range(max(map(len, wrongs.values()))):
        errors = {name: ways[number] for name, ways in wrongs.items() if number < len(ways)}
        sent = filled({**right, **{name: value for name, (_, value) in errors.items()}})
        answer = await ann_browser.apost(f"/tools/{slug}/", sent, headers=HTMX)
        assert answer.status_code == 422
        page = answer.content.decode()
        assert "<script>alert" not in page
        drawn = parse(page)
        for name, (wrong, _) in errors.items():
            what = f"{name}: {wrong}"
            problem = plain_text(drawn, f"#composer-{name}-error")
            assert len(problem) > 10, what
            assert problem.endswith((".", "?")), f"{what}: {problem!r} is not a sentence"
        for field in tool.fields:
            if isinstance(field, spec.Text) and field.name in sent:
                assert shows(page, sent[field.name]), f"{field.name}: the input is lost"
    assert tried >= len(tool.fields) - 12
    assert await runtime.in_db(started) == 0


@pytest.mark.parametrize(("api_version", "slug"), CASES)
async def test_hostile_text_is_kept_unchanged(
    account: Any,
    ann_browser: Browser,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    api_version: str,
    slug: str,
) -> None:
    settings.VIDEOGEN_API_ERA = api_version
    tool = tools.available()[slug]
    texts = [each.name for each in tool.fields if isinstance(each, spec.Text) and each.max_length > 200]
    if not texts:
        return
    monkeypatch.setattr("dashboard.studio.views._send", lambda execution: None)
    files = await runtime.in_db(make_files)
    sent = await runtime.in_db(form_of, tool, files) | dict.fromkeys(texts, HOSTILE)
    answer = await ann_browser.apost(f"/tools/{slug}/", sent, headers=HTMX)
    assert answer.status_code == 200, answer.content.decode()
    execution = await runtime.in_db(Execution.objects.get)
    assert [execution.request_body[name] for name in texts] == [HOSTILE] * len(texts)
    page = (await ann_browser.aget(f"/executions/{execution.pk}/")).content.decode()
    assert "<script>alert" not in page
    assert html.escape("<script>alert(1)</script> {{ settings }}") in page
