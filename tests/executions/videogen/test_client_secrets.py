"""The API key and signing secrets never appear in repr, logs, errors or their frames."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from executions.videogen import (
    BadSignature,
    MalformedResponse,
    VideoGen,
    VideoGenError,
    WebhookEndpointCreated,
    verify,
)
from executions.videogen.auth import BearerAuth
from tests.executions.videogen.conftest import KEY
from tests.executions.videogen.misbehaving_service import (
    Behavior,
    Service,
    cut_in_body,
    hangs_up,
    never_responds,
    responds,
)

SECRET = "whsec_c2FuZGJveC1leGFtcGxlLWtleS0wMDAxLTMyYnl0ZXM="


def with_locals(error: BaseException) -> str:
    """The output of a log that shows the variables of all frames, including those of causes."""
    reported = traceback.TracebackException.from_exception(error, capture_locals=True)
    # Skip the first frame, which is that of the test.
    reported.stack.pop(0)
    return "".join(reported.format())


def test_repr_shows_no_key() -> None:
    client = VideoGen(api_key=KEY)

    assert repr(client) == "VideoGen('https://api.videogen.io')"
    assert KEY not in repr(vars(client))
    assert KEY not in repr(vars(client._transport))
    assert KEY not in repr(vars(client._transport._http))
    assert repr(BearerAuth(KEY)) == "BearerAuth([key])"


def test_a_key_cannot_be_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(BearerAuth(KEY))


@pytest.mark.parametrize("key", ["vgk two", "vgk\x7fdel", "schlüssel"])
def test_an_invalid_key_is_rejected_and_not_revealed(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        VideoGen(api_key=key)

    assert key not in with_locals(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "\n"])
def test_an_empty_key_is_rejected(key: str) -> None:
    with pytest.raises(ValueError, match="API key is empty"):
        VideoGen(api_key=key)


def test_an_invalid_base_url_does_not_reveal_the_key() -> None:
    with pytest.raises(ValueError) as caught:
        VideoGen(api_key=KEY, base_url="nowhere")

    assert KEY not in with_locals(caught.value)


async def test_a_key_from_a_file_with_a_line_break(
    service: Service, make_client: Callable[..., VideoGen]
) -> None:
    service.respond_with(responds(202, {"toolExecutionId": "x"}))

    await make_client(service.url, api_key=f"{KEY}\n").start_tool("generate-image", {})

    assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"


TROUBLES: dict[str, Behavior] = {
    "hung up": hangs_up(),
    "cut": cut_in_body(),
    "silent": never_responds(),
    "no id": responds(202, {}),
    "HTML": responds(202, b"<html>"),
    "500": responds(500),
    "repeated to us": responds(
        401, {"message": f"Unknown key: {KEY}.", "details": {"header": f"Bearer {KEY}"}}
    ),
}


@pytest.mark.parametrize("behavior", TROUBLES.values(), ids=TROUBLES.keys())
async def test_no_error_or_log_reveals_the_key(
    service: Service, client: VideoGen, behavior: Behavior, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.respond_with(behavior)

    with pytest.raises(VideoGenError) as caught:
        await client.start_tool("generate-image", {})
    with pytest.raises(VideoGenError):
        await client.me()

    assert KEY in service.requests[0].headers["authorization"]
    assert KEY not in with_locals(caught.value)
    assert KEY not in repr(caught.value) + repr(vars(caught.value))
    assert caught.value.__context__ is None
    assert (
        "me is tried again" in caplog.text
        or "repeated" in caught.value.message
        or KEY not in caught.value.message
    )
    assert KEY not in caplog.text


async def test_an_unexpected_library_error_reveals_nothing(
    client: VideoGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any, **kwargs: Any) -> Any:
        header = f"Bearer {KEY}"
        raise AttributeError(f"Illegal header value {header!r}")

    monkeypatch.setattr(client._transport._http, "send", broken)

    with pytest.raises(VideoGenError) as caught:
        await client.start_tool("generate-image", {})

    assert str(caught.value) == "The call to VideoGen failed (AttributeError)."
    assert KEY not in with_locals(caught.value)


async def test_a_cancelled_call_reveals_nothing(service: Service, client: VideoGen) -> None:
    service.respond_with(never_responds())
    call = asyncio.create_task(client.start_tool("generate-image", {}))
    await service.request_received.wait()
    call.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await call

    assert KEY not in with_locals(caught.value)
    assert "httpcore" not in with_locals(caught.value)


async def test_the_signing_secret_is_only_in_its_field(
    service: Service, client: VideoGen, example: Callable[[str], Any]
) -> None:
    service.respond_with(responds(201, example("webhook-endpoint-created")))

    created = await client.create_webhook_endpoint("https://x.example/", ["tool_execution.failed"])

    assert created.signing_secret == SECRET
    assert SECRET not in repr(created)
    assert SECRET not in repr(created.raw)


async def test_a_malformed_endpoint_does_not_reveal_its_secret(
    service: Service, client: VideoGen, example: Callable[[str], Any]
) -> None:
    service.respond_with(responds(201, example("webhook-endpoint-created") | {"endpointId": None}))

    with pytest.raises(MalformedResponse) as caught:
        await client.create_webhook_endpoint("https://x.example/", ["tool_execution.failed"])

    assert SECRET not in with_locals(caught.value)
    assert SECRET not in repr(vars(caught.value))
    assert caught.value.raw["url"] == "https://dashboard.example.org/hooks/videogen"


def test_a_new_endpoint_without_a_secret_is_malformed(example: Callable[[str], Any]) -> None:
    with pytest.raises(MalformedResponse, match="signing secret"):
        WebhookEndpointCreated.from_wire(example("webhook-endpoint-created") | {"signingSecret": ""})


def test_a_rejected_delivery_does_not_reveal_the_secret() -> None:
    headers = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"}

    with pytest.raises(BadSignature) as caught:
        verify(headers, b"{}", [SECRET], now=1.0)

    assert SECRET not in with_locals(caught.value)
