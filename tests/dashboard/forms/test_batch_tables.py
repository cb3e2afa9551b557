"""CSV tables of jobs: reading what spreadsheet programs write, and errors by row."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.cache import cache

from dashboard.batches import csv_import as tables
from dashboard.forms.batch_rows import CheckedRows, check
from dashboard.http.csv_safety import FORMULA_PREFIXES, guard, unguard
from executions import tools
from executions.batches import service as batches
from tests.factories.files import ready_file

pytestmark = pytest.mark.django_db

VOICES = [
    {"voiceId": "v-anna", "displayName": "Anna", "languageCode": "en", "supportsDirectToolExecution": True},
    {"voiceId": "v-otto", "displayName": "Otto", "languageCode": "de", "supportsDirectToolExecution": True},
    {"voiceId": "v-otto2", "displayName": "otto", "languageCode": "en", "supportsDirectToolExecution": True},
]


@pytest.fixture(autouse=True)
def _voices() -> None:
    cache.set("videogen:voices", VOICES)
    cache.set("videogen:presenters", [{"avatarPresenterId": "p-ines"}])


def checked(slug: str, text: str) -> CheckedRows:
    tool = tools.available()[slug]
    return check(tool, *tables.read(tool, text))


def bodies(slug: str, text: str) -> list[dict[str, Any]]:
    found = checked(slug, text)
    assert found.problems == []
    return [row.body for row in found.rows]


def problems(slug: str, text: str) -> list[tuple[int, str]]:
    found = checked(slug, text)
    return [(problem.number, problem.message) for problem in found.problems]


@pytest.mark.parametrize(
    "content",
    [
        "prompt,numResults\nA cliff,2\nA pier,1\n",
        "prompt;numResults\nA cliff;2\nA pier;1\n",
        "prompt,numResults\r\nA cliff,2\r\nA pier,1\r\n",
        "\ufeffprompt,numResults\nA cliff,2\nA pier,1",
        '"prompt","numResults"\n"A cliff","2"\n"A pier","1"\n',
        "Prompt,Takes\nA cliff,2\nA pier,\n",
        "PROMPT , takes,,\nA cliff,2,,\nA pier,1,,\n",
    ],
)
def test_tables_of_different_programs_are_read_alike(content: str) -> None:
    text = tables.decoded(content.encode())

    assert [(body["prompt"], body["numResults"]) for body in bodies("generate-image", text)] == [
        ("A cliff", 2),
        ("A pier", 1),
    ]


def test_every_kind_of_cell_becomes_form_data() -> None:
    text = (
        "ttsText;voiceId;voiceSpeed;speechLanguageCode;pronunciationReplacements;isOutputTemporary;numResults\n"
        '"Hello; you";anna;1,25;en;"nginx = engine x\nSQL = sequel";YES;3\n'
        "Plain;;;;;;\n"
    )

    spoken, plain = bodies("text-to-speech", text)

    assert spoken == {
        "ttsText": "Hello; you",
        "voiceId": "v-anna",
        "voiceSpeed": 1.25,
        "speechLanguageCode": "en",
        "pronunciationReplacements": [
            {"original": "nginx", "replacement": "engine x"},
            {"original": "SQL", "replacement": "sequel"},
        ],
        "isOutputTemporary": True,
        "numResults": 3,
    }
    assert plain == {"ttsText": "Plain", "numResults": 1}


def test_choices_are_accepted_by_value_or_label() -> None:
    text = "prompt,watermarkMode,aspectRatio\na,none,9:16\nb,Always,\n"

    first, second = bodies("generate-image", text)

    assert (first["watermarkMode"], first["aspectRatio"]) == ("NONE", {"width": 9, "height": 16})
    assert (second["watermarkMode"], second["aspectRatio"]) == ("VIDEO_GEN", {"width": 16, "height": 9})


def test_files_are_accepted_by_either_id() -> None:
    one, two = ready_file("one"), ready_file("two")
    text = f"prompt,imageFileIds\nboth,{one.remote_id} {two.pk}\n"

    assert bodies("generate-image", text)[0]["imageFileIds"] == [one.remote_id, two.remote_id]


def test_a_script_makes_a_chain() -> None:
    found = checked("generate-avatar", "avatarPresenterId,speech,speechVoice\np-ines,Good evening,anna\n")

    assert found.problems == []
    speech = found.rows[0].speech
    assert speech is not None
    assert (speech.script, speech.voice_id) == ("Good evening", "v-anna")


def test_invalid_rows_are_reported_by_their_spreadsheet_number() -> None:
    song = ready_file("song", media="AUDIO")
    text = (
        "prompt,numResults,aspectRatio,isOutputTemporary,imageFileIds\n"
        "fine,1,16:9,no,\n"
        "\n"
        '"two\nlines",200,,,\n'
        ",1,,maybe,\n"
        f"a,1,3:17,,{song.remote_id}\n"
        "b,x,,,nowhere\n"
        "c,1,,,,too much\n"
    )

    assert problems("generate-image", text) == [
        (4, "Takes: Ensure this value is less than or equal to 100."),
        (5, "Temporary: enter yes or no, not “maybe”."),
        (5, "Prompt: please fill this in."),
        (6, "Reference images: “song” is a recording; choose an image."),
        (6, "Aspect ratio: Select a valid choice. 3:17 is not one of the available choices."),
        (7, "Reference images: A chosen file is no longer in the library. Choose another."),
        (7, "Takes: Enter a whole number."),
        (8, "There are more cells than headings. Put text that contains commas in quotation marks."),
    ]


def test_an_ambiguous_voice_name_is_rejected() -> None:
    assert problems("text-to-speech", "ttsText,voiceId\nhello,Otto\n") == [
        (2, "Voice: Select a valid choice. Otto is not one of the available choices.")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The table is empty"),
        ("\n \n,,\n", "The table is empty"),
        ("prompt\n\n", "There are no rows below the headings"),
        ("prompt,colour\na,b\n", "This tool has no column “colour”. Its columns are: prompt, imageFileIds"),
        ("prompt,Prompt\na,b\n", "The column “Prompt” occurs twice"),
        ("numResults\n1\n", "The column “prompt” is missing"),
        ('prompt\n"never closed\n', "Row 2 cannot be read"),
        ('prompt\nfine\n"a" b\n', "Row 3 cannot be read"),
        ("prompt\n" + "x" * 140_000 + "\n", "Row 2 cannot be read: a cell is too long"),
        ("prompt\na\x00b\n", "invalid characters"),
        ("prompt\n" + "a\n" * (batches.MAX_ROWS + 1), "Enter at most 500 rows; there are 501"),
        ("prompt\n" + ("é" * 1000 + "\n") * 525, "larger than 1 MiB"),
    ],
)
def test_an_unreadable_table_has_an_error(text: str, message: str) -> None:
    with pytest.raises(tables.Unreadable) as error:
        tables.read(tools.available()["generate-image"], text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("prompt\nÉté\n".encode("latin-1"), "not UTF-8"),
        ("prompt\na\n".encode("utf-16"), "not UTF-8"),
        ("prompt\na\n".encode("utf-16-le"), "invalid characters"),
        (b"x" * (tables.MAX_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_not_utf8_has_an_error(content: bytes, message: str) -> None:
    with pytest.raises(tables.Unreadable) as error:
        tables.decoded(content)
    assert message in str(error.value)


def test_the_maximum_of_rows_is_read_with_one_query(django_assert_num_queries: Any) -> None:
    file = ready_file()
    text = "prompt,imageFileIds\n" + f"a,{file.remote_id}\n" * batches.MAX_ROWS
    tool = tools.available()["generate-image"]

    with django_assert_num_queries(1):
        found = check(tool, *tables.read(tool, text))

    assert len(found.rows) == batches.MAX_ROWS


# --- templates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", list(tools.TOOLS))
@pytest.mark.parametrize("api_version", ["0.0", "1.1", "2"])
def test_each_template_names_its_columns_and_its_example_is_rejected(
    settings: Any, slug: str, api_version: str
) -> None:
    settings.VIDEOGEN_API_ERA = api_version
    tool = tools.available().get(slug)
    if tool is None:
        assert not tools.TOOLS[slug].is_in(api_version)
        return
    text = tables.template(tool)

    headings = next(csv.reader(io.StringIO(text.removeprefix(tables.BOM))))
    raw_rows, library = tables.read(tool, tables.decoded(text.encode()))

    assert text.startswith(tables.BOM)
    assert headings[: len(tool.fields)] == [field.name for field in tool.fields]
    assert check(tool, raw_rows, library).problems, "an unchanged example is rejected"


def test_a_filled_in_template_is_read_back() -> None:
    tool = tools.available()["generate-image"]
    rows = list(csv.reader(io.StringIO(tables.template(tool).removeprefix(tables.BOM))))
    rows[1][0] = "My own words"
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(rows)

    assert bodies("generate-image", text.getvalue()) == [
        {"prompt": "My own words", "aspectRatio": {"width": 16, "height": 9}, "numResults": 1}
    ]


def test_a_template_for_files_has_a_row_for_each() -> None:
    files = [ready_file("one"), ready_file("two")]
    tool = tools.available()["upscale-image"]

    found = bodies("upscale-image", tables.template(tool, files))

    assert [body["imageFileId"] for body in found] == [file.remote_id for file in files]


@pytest.mark.parametrize("cell", ["=1+1", "+49 30", "-5 degrees", "@home", "\ttab", '=HYPERLINK("http://x")'])
def test_template_cells_are_never_formulas_and_keep_their_meaning(cell: str) -> None:
    hostile = ready_file("bad", remote_id=cell)
    tool = tools.available()["upscale-image"]

    rows = list(csv.reader(io.StringIO(tables.template(tool, [hostile]).removeprefix(tables.BOM))))

    assert all(not each.startswith(FORMULA_PREFIXES) for row in rows for each in row)
    assert unguard(guard(cell)) == cell


def test_a_prompt_may_begin_like_a_formula() -> None:
    assert [body["prompt"] for body in bodies("generate-image", "prompt\n- a list\n'=quoted\n")] == [
        "- a list",
        "=quoted",
    ]
