"""Starting and cancelling: whatever fails, the request is sent once, and the error says whether it had an effect."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
from collections.abc import Callable

import pytest

from executions.videogen import (
    InvalidRequest,
    MalformedResponse,
    ResponseLost,
    ServerError,
    Timeouts,
    Unreachable,
    VideoGen,
    transport,
)
from tests.executions.videogen.misbehaving_service import (
    Behavior,
    Service,
    bytes_of,
    cut_after_headers,
    cut_in_body,
    drips,
    floods,
    hangs_up,
    never_responds,
    responds,
    responds_gzip,
    responds_gzip_bomb,
    sends,
)
from tests.waiting import DEADLINE

BODY = {"prompt": "a lighthouse", "numResults": 2}


async def test_it_sends_the_body_and_returns_the_id(service: Service, client: VideoGen) -> None:
    service.respond_with(responds(202, {"toolExecutionId": "vg_exec_1", "new": 1}, X_Request_Id="req-7"))

    accepted = await client.start_tool("generate-image", BODY)

    assert accepted.execution_id == "vg_exec_1"
    assert accepted.raw == {"toolExecutionId": "vg_exec_1", "new": 1}
    assert accepted.request_id == "req-7"
    (request,) = service.requests
    assert (request.method, request.target) == ("POST", "/v1/tools/generate-image")
    assert request.json == BODY
    assert request.headers["authorization"].startswith("Bearer vgk_live_")
    assert request.headers["content-type"] == "application/json"


async def test_it_sends_text_that_utf_8_cannot_encode(service: Service, client: VideoGen) -> None:
    service.respond_with(responds(202, {"toolExecutionId": "vg_exec_1"}))

    await client.start_tool("generate-image", {"prompt": "half a pair \ud83d, a NUL \x00"})

    assert service.requests[0].json["prompt"] == "half a pair \ud83d, a NUL \x00"


async def test_it_reads_a_compressed_response(service: Service, client: VideoGen) -> None:
    service.respond_with(responds_gzip(202, b'{"toolExecutionId": "vg_exec_1"}'))

    assert (await client.start_tool("generate-image", BODY)).execution_id == "vg_exec_1"


LOST: dict[str, Behavior] = {
    "hung up": hangs_up(),
    "cut after the headers": cut_after_headers(),
    "cut in the body": cut_in_body(),
    "cut in the headers": sends(b"HTTP/1.1 202 Acc"),
    "no HTTP": sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "endless headers": sends(b"HTTP/1.1 202 OK\r\nX: " + b"x" * 300_000),
    "no response": never_responds(),
    "one byte at a time": drips(),
}


@pytest.mark.parametrize("behavior", LOST.values(), ids=LOST.keys())
async def test_a_request_is_not_repeated_after_a_lost_response(
    service: Service, make_client: Callable[..., VideoGen], behavior: Behavior, pauses: list[float]
) -> None:
    client = make_client(service.url, timeouts=Timeouts(read=0.2, total=0.6))
    service.respond_with(behavior)

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(ResponseLost) as caught:
            await client.start_tool("generate-image", BODY)

    assert not isinstance(caught.value, MalformedResponse)
    assert len(service.requests) == 1
    assert pauses == []


MALFORMED: dict[str, tuple[Behavior, str]] = {
    "204": (sends(b"HTTP/1.1 204 No Content\r\n\r\n"), "is not JSON"),
    "no id": (responds(202, {"id": "vg_exec_1"}), "lacks the id"),
    "an id that is a number": (responds(202, {"toolExecutionId": 7}), "lacks the id"),
    "an endless id": (responds(202, {"toolExecutionId": "v" * 129}), "lacks the id"),
    "a list": (responds(202, [1]), "is not an accepted job"),
    "HTML": (responds(200, b"<html>Sign in to the hotel</html>", Content_Type="text/html"), "is not JSON"),
    "half of JSON": (responds(202, b'{"toolExecutionId": '), "is not JSON"),
    "UTF-16": (responds(202, '{"toolExecutionId": "a"}'.encode("utf-16")), "is not UTF-8"),
    "brackets": (responds(202, b"[" * 100_000), "nested too deeply"),
    "invalid gzip": (responds(202, b"no gzip", Content_Encoding="gzip"), "not valid gzip"),
    "half of gzip": (
        responds(202, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xabV", Content_Encoding="gzip"),
        "not valid gzip",
    ),
    "encoding not requested": (responds(202, b"{}", Content_Encoding="br"), "was not requested"),
    "303": (responds(303, b"", Location="/other"), "unexpected status"),
}


@pytest.mark.parametrize(("behavior", "message"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_success_that_cannot_be_parsed(
    service: Service, client: VideoGen, behavior: Behavior, message: str
) -> None:
    service.respond_with(behavior)

    with pytest.raises(MalformedResponse, match=message):
        await client.start_tool("generate-image", BODY)

    assert len(service.requests) == 1


# Made by their test, since compressing takes a second.
FLOODS: dict[str, Callable[[], Behavior]] = {
    "declared": lambda: floods(20 * 1024 * 1024, declared=True),
    "in chunks": lambda: floods(20 * 1024 * 1024),
    "declared, then nothing": lambda: sends(bytes_of(202, b"", claimed=20 * 1024 * 1024)),
    "after the end of the gzip data": lambda: sends(
        b"HTTP/1.1 202 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}") + b" " * 2**21
    ),
    "a gzip bomb": lambda: responds_gzip_bomb(202, 200),
}


@pytest.mark.parametrize("make_behavior", FLOODS.values(), ids=FLOODS.keys())
async def test_an_endless_response_is_not_held_in_memory(
    service: Service, make_client: Callable[..., VideoGen], make_behavior: Callable[[], Behavior]
) -> None:
    client = make_client(service.url, max_response_bytes=1024 * 1024)
    service.respond_with(make_behavior())

    tracemalloc.start()
    try:
        with pytest.raises(MalformedResponse, match="longer than 1,048,576 bytes"):
            await client.start_tool("generate-image", BODY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(service.requests) == 1
    assert peak < 5 * 1024 * 1024


async def test_a_response_of_exactly_the_limit_is_read(
    service: Service, make_client: Callable[..., VideoGen]
) -> None:
    text = b'{"toolExecutionId": "vg_exec_1"}'.ljust(4096)
    client = make_client(service.url, max_response_bytes=4096)
    service.respond_with(responds(202, text), responds_gzip(202, text), responds_gzip(202, text + b" "))

    assert (await client.start_tool("generate-image", BODY)).execution_id == "vg_exec_1"
    assert (await client.start_tool("generate-image", BODY)).execution_id == "vg_exec_1"
    with pytest.raises(MalformedResponse, match="longer than"):
        await client.start_tool("generate-image", BODY)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_not_repeated(service: Service, client: VideoGen, status: int) -> None:
    service.respond_with(
        responds(status, b"<html>Bad gateway</html>"), responds(202, {"toolExecutionId": "vg_exec_1"})
    )

    with pytest.raises(ServerError) as caught:
        await client.start_tool("generate-image", BODY)

    assert caught.value.status == status
    assert len(service.requests) == 1


async def test_no_server_is_listening(make_client: Callable[..., VideoGen]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = make_client(f"http://127.0.0.1:{unused.getsockname()[1]}")

        with pytest.raises(Unreachable, match=r"cannot be reached at 127\.0\.0\.1"):
            await client.start_tool("generate-image", BODY)


async def test_the_host_name_is_unknown(make_client: Callable[..., VideoGen]) -> None:
    with pytest.raises(Unreachable, match=r"nowhere\.invalid"):
        await make_client("https://nowhere.invalid").start_tool("generate-image", BODY)


async def test_the_server_does_not_support_tls(make_client: Callable[..., VideoGen]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        client = make_client(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        with pytest.raises(Unreachable, match="SSL"):
            await client.start_tool("generate-image", BODY)


async def test_no_connection_within_the_timeout(make_client: Callable[..., VideoGen]) -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The accept queue is full: further connections are neither accepted nor refused.
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        client = make_client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeouts=Timeouts(connect=0.2))

        with pytest.raises(Unreachable, match="no connection in time"):
            await client.start_tool("generate-image", BODY)


async def test_all_connections_are_in_use(
    service: Service, make_client: Callable[..., VideoGen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_CONNECTIONS", 1)
    client = make_client(service.url, timeouts=Timeouts(pool=0.1, read=5))
    service.respond_with(never_responds())
    first = asyncio.create_task(client.start_tool("generate-image", BODY))
    await service.request_received.wait()

    with pytest.raises(Unreachable, match="in use"):
        await client.start_tool("generate-image", BODY)

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(service.requests) == 1


async def test_a_cancel_request_is_sent_once(service: Service, client: VideoGen) -> None:
    service.respond_with(responds(202, {"toolExecutionId": "vg_exec_1"}), hangs_up())

    assert (await client.cancel_execution("vg_exec_1")).execution_id == "vg_exec_1"
    with pytest.raises(ResponseLost):
        await client.cancel_execution("vg_exec_1")

    assert [request.target for request in service.requests] == ["/v1/tools/executions/vg_exec_1/cancel"] * 2
    assert service.requests[0].body == b""


@pytest.mark.parametrize("name", ["", ".", "..", " ", "v" * 129, "\ud800"])
async def test_an_invalid_id_is_not_sent(service: Service, client: VideoGen, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await client.cancel_execution(name)

    assert caught.value.code == "invalid_id"
    assert service.requests == []


async def test_an_id_stays_one_path_segment(service: Service, client: VideoGen) -> None:
    service.respond_with(responds(202, {"toolExecutionId": "vg_exec_1"}))

    await client.cancel_execution("../../files/a?b#c\r\nX: y")

    assert (
        service.requests[0].target == "/v1/tools/executions/..%2F..%2Ffiles%2Fa%3Fb%23c%0D%0AX%3A%20y/cancel"
    )


async def test_a_body_that_is_not_json_is_not_sent(service: Service, client: VideoGen) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        await client.start_tool("generate-image", {"durationSeconds": float("nan")})

    assert service.requests == []
