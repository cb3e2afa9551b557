"""Exports are complete, safe to open, and streamed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dashboard.http import table_export

AT = datetime(2026, 3, 29, 1, 30, tzinfo=timezone(timedelta(hours=2)))


async def whole(columns: list[str], rows: Any, kind: str) -> str:
    return b"".join([chunk async for chunk in table_export.chunks(columns, rows, kind)]).decode()


async def test_csv_round_trips() -> None:
    rows = [("a;b,c", 'with "quotes"', "two\nlines", 3, 1.5, None, "é\u202e🎬"), ("", "", "", 0, 0, None, "")]
    text = await whole([*"abcdefg"], rows, "csv")
    assert text.startswith("\ufeff")
    found = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert found == [[*"abcdefg"], ["a;b,c", 'with "quotes"', "two\nlines", "3", "1.5", "", "é\u202e🎬"], ["", "", "", "0", "0", "", ""]]  # fmt: skip


@pytest.mark.parametrize("start", [*"=+-@", "\t=", "\r", "\n", "＝"])
async def test_text_is_never_a_formula(start: str) -> None:
    text = await whole(["prompt"], [(f'{start}HYPERLINK("https://evil.example")',)], "csv")
    cell = list(csv.reader(io.StringIO(text, newline="")))[1][0]
    assert cell.startswith("'")


async def test_a_negative_number_is_a_number() -> None:
    assert (await whole(["n"], [(-5,)], "csv")).endswith("\r\n-5\r\n")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_times_have_a_time_zone(kind: str) -> None:
    assert "2026-03-28T23:30:00.000+00:00" in await whole(["at"], [(AT,)], kind)


async def test_json_lines_preserve_values() -> None:
    rows = [("=1+1", {"a": [1]}, None, True), ("line\u2028break\nand more", {}, 7, False)]
    text = await whole(["text", "detail", "n", "yes"], rows, "jsonl")
    assert [json.loads(line) for line in text.split("\n")[:-1]] == [
        {"text": "=1+1", "detail": {"a": [1]}, "n": None, "yes": True},
        {"text": "line\u2028break\nand more", "detail": {}, "n": 7, "yes": False},
    ]


async def test_rows_are_read_as_they_are_sent() -> None:
    read = []

    def rows() -> Iterator[tuple[int]]:
        for number in range(10 * table_export.CHUNK_ROWS):
            read.append(number)
            yield (number,)

    chunks = table_export.chunks(["n"], rows(), "jsonl")
    await anext(chunks)
    assert len(read) == table_export.CHUNK_ROWS
    await chunks.aclose()


def test_an_unknown_format_raises() -> None:
    with pytest.raises(KeyError):
        table_export.stream("x", [], [], "xml")


def test_exported_times_are_in_the_zone_of_the_settings() -> None:
    assert table_export._to_text(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000+00:00"
