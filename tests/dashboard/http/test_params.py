"""Values read from URLs and forms."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

import pytest

from dashboard.http.params import (
    MAX_ID,
    MAX_USER_ID,
    PageCursor,
    as_day,
    as_id,
    as_number,
    as_uuid,
    ignored_values,
)
from executions.core import keyset

ID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.mark.parametrize("text", [str(ID), str(ID).upper(), ID.hex])
def test_a_uuid_is_parsed_in_every_form(text: str) -> None:
    assert as_uuid(text) == ID


@pytest.mark.parametrize("text", ["", "1", "x" * 36, f"{ID}0", f"{ID}\x00", "' OR 1=1"])
def test_an_invalid_uuid_is_none(text: str) -> None:
    assert as_uuid(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("7", 7), ("007", 7), (str(MAX_ID), MAX_ID), ("2147483648", 2**31)]
)
def test_a_number_is_parsed(text: str, number: int) -> None:
    assert as_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1.0", "1e3", "x", "²", "٣", str(MAX_ID + 1), "9" * 5000]
)
def test_an_invalid_or_too_large_number_is_none(text: str) -> None:
    assert as_number(text) is None


def test_a_number_has_a_maximum() -> None:
    assert as_number(str(MAX_USER_ID), MAX_USER_ID) == MAX_USER_ID
    assert as_number(str(MAX_USER_ID + 1), MAX_USER_ID) is None


def test_ids_begin_at_one() -> None:
    assert as_id("1") == 1
    assert as_id("0") is as_id("x") is None


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(2028, 2, 29), date(9000, 12, 31)])
def test_a_day_is_parsed(day: date) -> None:
    assert as_day(day.isoformat()) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "32 Jan",
        "2026-13-01",
        "2026-02-29",
        "0001-01-01",
        "1969-12-31",
        "9001-01-01",
        "9999-12-31",
        "\x00",
    ],
)
def test_an_invalid_or_distant_day_is_none(text: str) -> None:
    assert as_day(text) is None


@dataclass
class Row:
    pk: int
    day: date


ROWS = [Row(9, date(2026, 11, 24)), Row(8, date(2026, 11, 23))]


@pytest.mark.parametrize(("query", "after"), [({"after": "7"}, 7), ({"after": "x"}, None), ({}, None)])
def test_a_page_cursor_reads_its_parameter(query: dict[str, str], after: int | None) -> None:
    assert PageCursor(query, as_number).after == after


def test_a_page_cursor_links_to_the_page_after_the_last_row() -> None:
    page = keyset.KeysetPage(ROWS, has_more=True)
    assert PageCursor({}, as_number).next_url("/x/", page, {"q": "a b", "job": ""}) == "/x/?q=a+b&after=8"
    by_day = PageCursor({}, as_day, name="before")
    assert by_day.next_url("/x/", page, column="day") == "/x/?before=2026-11-23"


def test_nothing_follows_the_last_page() -> None:
    assert PageCursor({}, as_number).next_url("/x/", keyset.KeysetPage(ROWS, has_more=False)) == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], ""),
        (["x"], "Ignored unknown filter value: “x”."),
        (list("abcdef"), "Ignored unknown filter values: “a”, “b”, “c”, “d”, “e”."),
    ],
)
def test_ignored_values_are_listed(values: list[str], message: str) -> None:
    assert ignored_values(values) == message
