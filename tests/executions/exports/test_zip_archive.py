"""Edge cases of the ZIP archive: hostile titles, lost connections, unexpected responses."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from executions.batches import bulk_actions
from executions.core import runtime
from executions.exports import zip_archive
from executions.files import signed_urls
from executions.models import Event
from executions.models.event import ActKind
from executions.models.selection import Act
from executions.videogen import ToolResult
from tests.factories import planning
from tests.factories.files import ready_file

CONTENT = bytes(range(256)) * 40
type Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("A lighthouse, at dusk!", " A-lighthouse-at-dusk"),
        ("../../etc/passwd", " etc-passwd"),
        ("C:\\con\x00.txt", " C-con-txt"),
        ("‮gnp.exe", " gnp-exe"),
        ("Ein Café am Hafen", " Ein-Café-am-Hafen"),
        ("港の灯台", " 港の灯台"),
        ("🌊🌊", ""),
        ("", ""),
        ("é" * 300, " " + "é" * 40),
    ],
)
def test_titles_become_names_valid_on_all_systems(title: str, name: str) -> None:
    assert zip_archive.safe_name(title) == name


def test_names_are_unique_for_equal_titles(db: None, people: Any) -> None:
    batch = planning.batch(people.ann, 2)
    for job in planning.jobs(batch):
        results = tuple(ToolResult(file_id=f"{job.pk}.{n}", type="IMAGE") for n in range(2))
        planning.finish(job, "succeeded", results=results)
    type(planning.jobs(batch)[0]).objects.update(prompt="same")

    stems = [each.stem for each in zip_archive.batch_entries(batch)]

    assert stems == ["001-1 same", "001-2 same", "002-1 same", "002-2 same"]


def exports() -> list[tuple[Any, ...]]:
    rows = Event.objects.filter(kind=ActKind.EXPORTED)
    return list(rows.values_list("actor", "subject_type", "subject_name", "detail"))


def test_the_download_of_a_batch_is_recorded_with_the_number_of_its_results(db: None, people: Any) -> None:
    batch = planning.batch(people.ann, 2)
    for job in planning.jobs(batch):
        result = ToolResult(file_id=str(job.pk), type="IMAGE")
        planning.finish(job, "succeeded", results=(result,))

    entries = zip_archive.export_batch(batch, people.ben)

    assert entries == zip_archive.batch_entries(batch)
    assert exports() == [(people.ben.pk, "batch", "Lighthouses", {"results": 2})]


def test_the_download_of_selected_jobs_is_recorded_with_their_ids(db: None, people: Any) -> None:
    job = planning.jobs(planning.batch(people.ann, 1))[0]
    planning.finish(job, "succeeded", results=(ToolResult(file_id="vg_file_1", type="IMAGE"),))
    selection = bulk_actions.create_selection([job.pk], Act.DOWNLOAD, actor=people.ben)

    assert len(zip_archive.export_selection(selection, people.ben)) == 1

    detail = {"jobs": [str(job.pk)], "format": "zip"}
    assert exports() == [(people.ben.pk, "selection", "results of 1 jobs", detail)]


def test_an_archive_without_results_is_not_recorded(db: None, people: Any) -> None:
    batch = planning.batch(people.ann, 1)
    ids = [job.pk for job in planning.jobs(batch)]
    selection = bulk_actions.create_selection(ids, Act.DOWNLOAD, actor=people.ann)

    assert zip_archive.export_batch(batch, people.ann) == []
    assert zip_archive.export_selection(selection, people.ann) == []
    assert exports() == []


@asynccontextmanager
async def server(handle: Handler) -> AsyncIterator[str]:
    """A media server on a real socket; `handle` gets the head of each request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await handle(head, writer)
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def range_of(head: str) -> int:
    found = [line for line in head.lower().splitlines() if line.startswith("range: bytes=")]
    return int(found[0].removeprefix("range: bytes=").rstrip("-")) if found else 0


async def zipped(url: str, monkeypatch: Any) -> dict[str, bytes]:
    """The archive of one file at `url`."""

    async def signed(file: Any, renditions: Any, *, fresh: bool = False) -> tuple[str, float]:
        return url, 60.0

    monkeypatch.setattr(signed_urls, "signed_url", signed)
    file = await runtime.in_db(ready_file)
    pieces = [piece async for piece in zip_archive.stream([zip_archive.Entry(file.pk, "001 harbour")])]
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archived:
        assert archived.testzip() is None
        return {name: archived.read(name) for name in archived.namelist()}


async def test_an_interrupted_download_is_resumed(transactional_db: None, monkeypatch: Any) -> None:
    heads: list[int] = []

    async def handle(head: str, writer: asyncio.StreamWriter) -> None:
        begin = range_of(head)
        heads.append(begin)
        status = "206 Partial Content" if begin else "200 OK"
        rest = CONTENT[begin:]
        lines = f"HTTP/1.1 {status}\r\nContent-Length: {len(rest)}\r\n"
        if begin:
            lines += f"Content-Range: bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}\r\n"
        writer.write(f"{lines}\r\n".encode() + rest[:4096])
        await writer.drain()

    async with server(handle) as url:
        found = await zipped(f"{url}/media/abc.png?signature=1", monkeypatch)

    assert found == {"001 harbour.png": CONTENT}
    assert heads == [0, 4096, 8192]


async def test_an_incomplete_file_is_listed(transactional_db: None, monkeypatch: Any) -> None:
    async def handle(head: str, writer: asyncio.StreamWriter) -> None:
        if "range:" in head.lower():
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT[:100]
            )

    async with server(handle) as url:
        found = await zipped(f"{url}/abc.mp4", monkeypatch)

    assert found["001 harbour.mp4"] == CONTENT[:100]
    assert "001 harbour.mp4 is incomplete: the media server answered 404" in found["_missing.txt"].decode()


async def test_a_server_without_ranges_does_not_corrupt_the_file(
    transactional_db: None, monkeypatch: Any
) -> None:
    async def handle(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT[:100])

    async with server(handle) as url:
        found = await zipped(f"{url}/abc", monkeypatch)

    assert found["001 harbour.bin"] == CONTENT[:100]
    assert "connection was lost after 100 bytes" in found["_missing.txt"].decode()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "the media server answered 403"),
        (b"", "the media server cannot be reached"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
            "the media server cannot be reached",
        ),
    ],
)
async def test_an_unavailable_file_is_listed(
    transactional_db: None, monkeypatch: Any, answer: bytes, message: str
) -> None:
    async def handle(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with server(handle) as url:
        found = await zipped(f"{url}/abc.png", monkeypatch)

    assert list(found) == ["_missing.txt"]
    assert f"001 harbour: {message}" in found["_missing.txt"].decode()


async def test_a_url_without_extension_uses_that_of_the_media_type(
    transactional_db: None, monkeypatch: Any
) -> None:
    async def handle(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg; q=1\r\nConnection: close\r\n\r\npicture")

    async with server(handle) as url:
        found = await zipped(f"{url}/object", monkeypatch)

    assert found == {"001 harbour.jpg": b"picture"}
