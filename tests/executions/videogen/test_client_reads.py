"""Calls that only read: retried while VideoGen fails, read page by page, and never endless."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from executions.videogen import (
    Group,
    MalformedResponse,
    NotFound,
    RateLimited,
    RemoteEndpoint,
    ResponseLost,
    ServerError,
    Timeouts,
    Unreachable,
    VideoGen,
    paging,
    transport,
)
from tests.executions.videogen.misbehaving_service import (
    Behavior,
    Service,
    bytes_of,
    cut_in_body,
    hangs_up,
    never_responds,
    responds,
    sends,
)
from tests.waiting import DEADLINE

type Example = Callable[[str], Any]  # the body of a documented response, by its name

RUNNING = {"toolExecutionId": "vg_exec_1", "status": "running", "toolType": "GENERATE_IMAGE"}
FAILURES: dict[str, Behavior] = {
    "500": responds(500),
    "502": responds(502, b"<html>"),
    "hung up": hangs_up(),
    "cut": cut_in_body(200),
    "silent": never_responds(),
    "HTML": responds(200, b"<html>"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failed_read_is_retried(
    service: Service, client: VideoGen, failure: Behavior, pauses: list[float]
) -> None:
    service.respond_with(failure, failure, responds(200, RUNNING))

    execution = await client.get_execution("vg_exec_1")

    assert execution.status == "running"
    assert [request.target for request in service.requests] == ["/v1/tools/executions/vg_exec_1"] * 3
    assert pauses == [0.3, 1.0]


@pytest.mark.parametrize(("behavior", "error"), [(responds(503), ServerError), (hangs_up(), ResponseLost)])
async def test_it_gives_up_after_three_attempts(
    service: Service, client: VideoGen, behavior: Behavior, error: type[Exception]
) -> None:
    service.respond_with(behavior)

    with pytest.raises(error):
        await client.get_execution("vg_exec_1")

    assert len(service.requests) == 3


async def test_an_absent_server_is_tried_again(
    make_client: Callable[..., VideoGen], pauses: list[float]
) -> None:
    with pytest.raises(Unreachable):
        await make_client("http://127.0.0.1:1").me()

    assert len(pauses) == 2


@pytest.mark.parametrize(("dice", "expected"), [(0.0, [0.24, 0.8]), (1.0, [0.36, 1.2])])
async def test_retry_delays_have_20_percent_jitter(
    service: Service,
    make_client: Callable[..., VideoGen],
    pauses: list[float],
    dice: float,
    expected: list[float],
) -> None:
    service.respond_with(responds(500))

    with pytest.raises(ServerError):
        await make_client(service.url, rng=lambda: dice).me()

    assert pauses == pytest.approx(expected)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (404, NotFound)])
async def test_a_rejected_read_is_not_retried(
    service: Service, client: VideoGen, status: int, error: type[Exception]
) -> None:
    service.respond_with(responds(status))

    with pytest.raises(error):
        await client.get_execution("vg_exec_1")

    assert len(service.requests) == 1


async def test_hydrating_is_retried(service: Service, client: VideoGen, example: Example) -> None:
    service.respond_with(responds(500), responds(200, example("file-hydrated")))

    file = await client.hydrate_file("vg_file_1")

    assert file.type == "AUDIO"
    assert [(request.method, request.target) for request in service.requests] == [
        ("POST", "/v1/files/vg_file_1/hydrate")
    ] * 2


async def test_a_file_is_read_by_its_id(service: Service, client: VideoGen, example: Example) -> None:
    service.respond_with(responds(200, example("file-processing")))

    file = await client.get_file("vg_file_1")

    assert service.requests[0].target == "/v1/files/vg_file_1"
    assert (file.type, file.scope, file.is_ready, file.is_failed) == ("", "TEMPORARY", False, False)


async def test_me_is_the_owner_of_the_key(service: Service, client: VideoGen, example: Example) -> None:
    service.respond_with(responds(200, example("me")), responds(200, {"hotel": "wifi"}))

    account = await client.me()
    with pytest.raises(MalformedResponse, match="owner of the API key"):
        await client.me()

    assert account.email == "ops@example.org"
    assert account.team_id == "vg_team_n2Jt8CqYs6HbLd0VxWg"


def executions(*names: str, **paging: Any) -> Behavior:
    return responds(
        200, {"toolExecutions": [RUNNING | {"toolExecutionId": name} for name in names], **paging}
    )


async def test_a_page_of_executions_is_requested(service: Service, client: VideoGen) -> None:
    service.respond_with(executions("a", "b", hasMore=True, nextCursor="c/2"))

    page = await client.list_executions(limit=2, cursor="c 1", self_only=True)

    assert [item.execution_id for item in page.items] == ["a", "b"]
    assert page.next_cursor == "c/2"
    assert service.requests[0].target == "/v1/tools/executions?limit=2&cursor=c+1&selfOnly=true"


async def test_all_executions_are_read_page_by_page(service: Service, client: VideoGen) -> None:
    service.respond_with(
        executions("a", hasMore=True, nextCursor="2"), executions("b", hasMore=False, nextCursor=None)
    )

    assert [item.execution_id async for item in client.all_executions()] == ["a", "b"]
    assert [request.target for request in service.requests] == [
        "/v1/tools/executions?limit=200",
        "/v1/tools/executions?limit=200&cursor=2",
    ]


@pytest.mark.parametrize(
    "end",
    [
        {},
        {"nextCursor": "2"},
        {"hasMore": False, "nextCursor": "2"},
        {"hasMore": True},
        {"hasMore": True, "nextCursor": ""},
        {"hasMore": True, "nextCursor": 7},
    ],
)
async def test_a_list_is_complete_without_a_next_page(
    service: Service, client: VideoGen, end: dict[str, Any]
) -> None:
    service.respond_with(executions("a", **end))

    assert [item.execution_id async for item in client.all_executions()] == ["a"]
    assert len(service.requests) == 1


async def test_a_repeated_cursor_ends_the_list(service: Service, client: VideoGen) -> None:
    service.respond_with(
        executions("a", hasMore=True, nextCursor="2"),
        executions("b", hasMore=True, nextCursor="3"),
        executions("c", hasMore=True, nextCursor="2"),
    )

    async with asyncio.timeout(DEADLINE):
        assert [item.execution_id async for item in client.all_executions()] == ["a", "b", "c"]


async def test_the_number_of_pages_is_limited(
    service: Service, client: VideoGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 3)
    service.respond_with(*(executions("a", hasMore=True, nextCursor=str(number)) for number in range(9)))

    assert len([item async for item in client.all_executions()]) == 3


async def test_a_cursor_that_is_too_long_is_rejected(service: Service, client: VideoGen) -> None:
    service.respond_with(executions("a", hasMore=True, nextCursor="x" * 100_000))

    with pytest.raises(MalformedResponse, match="cursor"):
        await client.list_executions()


async def test_invalid_entries_are_skipped(service: Service, client: VideoGen) -> None:
    broken = [None, 7, {}, {"toolExecutionId": "x"}, {"status": "running"}]
    service.respond_with(
        responds(200, {"toolExecutions": [*broken, RUNNING]}), responds(200, {"toolExecutions": None})
    )

    assert [item.execution_id for item in (await client.list_executions()).items] == ["vg_exec_1"]
    with pytest.raises(MalformedResponse, match="lacks the list of toolExecutions"):
        await client.list_executions()


async def test_files_of_all_pages_are_read(service: Service, client: VideoGen, example: Example) -> None:
    last = {"files": [{"fileId": "vg_file_last"}]}
    service.respond_with(responds(200, example("files-list")), responds(200, last))

    names = [file.file_id async for file in client.all_files()]

    assert names == ["vg_file_u7Qd5TzX0aKpWmE3rLh9sB", "vg_file_e6Gy1PcMz9ViSo3DnTf7jA", "vg_file_last"]
    assert service.requests[1].target == "/v1/files?limit=200&cursor=b2Zmc2V0LTI"


async def test_voices_of_all_pages_are_read(service: Service, client: VideoGen, example: Example) -> None:
    service.respond_with(
        responds(200, example("tts-voices") | {"hasMore": True, "nextCursor": "2"}),
        responds(200, {"ttsVoices": [{"voiceId": "v4"}], "hasMore": True, "nextCursor": "2"}),
    )

    voices = await client.list_voices()

    assert [voice.display_name for voice in voices] == ["Rowan", "Inés", "Alastair", ""]
    assert [voice.supports_direct_tool_execution for voice in voices] == [True, True, False, False]
    assert voices[2].is_deprecated
    assert len(service.requests) == 2


async def test_webhook_endpoints_can_be_managed(service: Service, client: VideoGen, example: Any) -> None:
    service.respond_with(
        responds(200, example("webhook-endpoint-list")),
        responds(201, example("webhook-endpoint-created")),
        responds(204),
    )

    endpoints = await client.list_webhook_endpoints()
    created = await client.create_webhook_endpoint("https://x.example/", ["tool_execution.failed"], "ours")
    await client.delete_webhook_endpoint(created.endpoint_id)

    assert [type(endpoint) for endpoint in endpoints] == [RemoteEndpoint] * 2
    assert endpoints[0].signing_secret_last4 == "ZXM="
    assert endpoints[0].created_at == datetime.fromtimestamp(1779876000, UTC)
    assert created.signing_secret == "whsec_c2FuZGJveC1leGFtcGxlLWtleS0wMDAxLTMyYnl0ZXM="
    assert created.raw["description"] == "dashboard production"
    assert service.requests[1].json == {
        "url": "https://x.example/",
        "events": ["tool_execution.failed"],
        "description": "ours",
    }
    assert (service.requests[2].method, service.requests[2].target) == (
        "DELETE",
        "/v1/webhooks/endpoints/ep_z0Kq6DnRv4XtMy2JwBh8sU",
    )


async def test_creating_and_deleting_an_endpoint_is_sent_once(service: Service, client: VideoGen) -> None:
    service.respond_with(hangs_up())

    with pytest.raises(ResponseLost):
        await client.create_webhook_endpoint("https://x.example/", ["tool_execution.failed"])
    with pytest.raises(ResponseLost):
        await client.delete_webhook_endpoint("ep_1")

    assert [request.method for request in service.requests] == ["POST", "DELETE"]


async def test_every_response_updates_the_limits(service: Service, client: VideoGen) -> None:
    said = {"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "4999", "X_RateLimit_Reset": "1779962412"}
    service.respond_with(
        responds(200, RUNNING, **said),
        responds(429, X_RateLimit_Limit="500", X_RateLimit_Remaining="0"),
        responds(200, RUNNING),
    )
    assert client.limits == {}

    await client.get_execution("vg_exec_1")
    with pytest.raises(RateLimited):
        await client.start_tool("generate-image", {})
    await client.get_execution("vg_exec_1")

    known = client.limits["GET /v1/tools/executions/{id}"]
    assert (known.limit, known.remaining) == (5000, 4999)
    assert known.reset_at == datetime.fromtimestamp(1779962412, UTC)
    assert client.limits[Group.TOOLS].remaining == 0
    assert client.limits[Group.TOOLS].reset_at is None
    assert set(client.limits) == {Group.EXECUTION, Group.TOOLS}


async def test_one_connection_serves_many_calls(service: Service, client: VideoGen) -> None:
    service.respond_with(responds(200, RUNNING))

    for _ in range(5):
        await client.get_execution("vg_exec_1")

    assert (len(service.requests), service.connections) == (5, 1)


async def test_idle_connections_are_closed(
    service: Service, make_client: Callable[..., VideoGen], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert transport.KEEPALIVE < 5
    monkeypatch.setattr(transport, "KEEPALIVE", 0)
    client = make_client(service.url)
    service.respond_with(responds(202, {"toolExecutionId": "vg_exec_1"}))

    await client.start_tool("generate-image", {})
    await client.start_tool("generate-image", {})

    assert (len(service.requests), service.connections) == (2, 2)


async def test_a_connection_closed_by_the_server_is_not_reused(service: Service, client: VideoGen) -> None:
    accepted = bytes_of(202, b'{"toolExecutionId": "vg_exec_1"}')
    service.respond_with(sends(accepted))

    await client.start_tool("generate-image", {})
    await client.start_tool("generate-image", {})

    assert (len(service.requests), service.connections) == (2, 2)


async def test_a_call_works_after_a_cancelled_call(service: Service, client: VideoGen) -> None:
    service.respond_with(never_responds(), responds(200, RUNNING))
    call = asyncio.create_task(client.get_execution("vg_exec_1"))
    await service.request_received.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert (await client.get_execution("vg_exec_1")).status == "running"


def test_a_client_belongs_to_one_loop(pauses: list[float]) -> None:
    client = VideoGen(api_key="k", base_url="http://127.0.0.1:1", timeouts=Timeouts(connect=1))

    async def start() -> None:
        with pytest.raises(Unreachable):
            await client.start_tool("generate-image", {})

    async def start_elsewhere() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await client.start_tool("generate-image", {})
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.start_tool("generate-image", {})

    asyncio.run(start())
    asyncio.run(start_elsewhere())


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.videogen.io",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x/?a=b",
        "https://a b",
        "https://x:99999",
    ],
)
def test_an_invalid_base_url_is_rejected(address: str) -> None:
    with pytest.raises(ValueError):
        VideoGen(api_key="k", base_url=address)


async def test_a_base_url_may_have_a_path(service: Service, make_client: Callable[..., VideoGen]) -> None:
    service.respond_with(responds(200, RUNNING))

    await make_client(f"{service.url}/gateway/").get_execution("vg_exec_1")

    assert service.requests[0].target == "/gateway/v1/tools/executions/vg_exec_1"
