"""Errors made from responses: the class by status, the message for the user, the wait after a 429."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from executions.videogen import (
    Conflict,
    Forbidden,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    RateLimited,
    Rejected,
    ResponseLost,
    ServerError,
    Unauthorized,
    Unreachable,
    VideoGen,
    VideoGenError,
)
from tests.executions.videogen.misbehaving_service import (
    Behavior,
    Service,
    bytes_of,
    drips,
    floods,
    responds,
    sends,
)


async def rejection(service: Service, client: VideoGen, behavior: Behavior) -> VideoGenError:
    service.respond_with(behavior)
    with pytest.raises(VideoGenError) as caught:
        await client.start_tool("generate-image", {})
    assert len(service.requests) == 1
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, InvalidRequest),
        (307, InvalidRequest),
        (400, InvalidRequest),
        (401, Unauthorized),
        (402, InvalidRequest),
        (403, Forbidden),
        (404, NotFound),
        (408, InvalidRequest),
        (409, Conflict),
        (418, InvalidRequest),
        (422, InvalidRequest),
        (429, RateLimited),
        (499, InvalidRequest),
        (500, ServerError),
        (502, ServerError),
        (599, ServerError),
        (799, ServerError),
    ],
)
async def test_the_status_decides_the_class(
    service: Service, client: VideoGen, status: int, kind: type[VideoGenError]
) -> None:
    error = await rejection(
        service, client, responds(status, {"message": "No.", "code": "insufficient_funds"})
    )

    assert type(error) is kind
    assert error.status == status
    assert isinstance(error, Rejected) == (status < 500)


def test_related_errors_share_a_base_class() -> None:
    assert issubclass(Conflict, InvalidRequest)
    assert issubclass(MalformedResponse, ResponseLost)
    assert not issubclass(Unreachable, ResponseLost)
    assert not issubclass(ResponseLost, Rejected)


async def test_the_whole_body_is_in_the_error(
    service: Service, client: VideoGen, example: Callable[[str], Any]
) -> None:
    reported = example("error-requirement") | {
        "code": "not_authorized",
        "internalErrorCode": "E-77",
        "new": [1],
    }
    error = await rejection(service, client, responds(403, reported, X_Request_Id="req-9"))

    assert str(error) == error.message == "Output without a watermark needs the Production API add-on."
    assert error.code == "not_authorized"
    assert error.requirement == {"type": "purchase_add_on", "details": {"addOn": "production_api"}}
    assert error.internal_error_code == "E-77"
    assert error.request_id == "req-9"
    assert error.raw == reported


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("error-invalid-api-key", 401, "invalid_api_key"),
        ("error-invalid-id", 400, "invalid_id"),
        ("error-invalid-parameters", 400, "invalid_parameters"),
        ("error-not-found", 404, None),
        ("error-rate-limited", 429, "rate_limited"),
        ("error-requirement", 403, None),
    ],
)
async def test_the_documented_errors_are_understood(
    service: Service,
    client: VideoGen,
    example: Callable[[str], Any],
    name: str,
    status: int,
    code: str | None,
) -> None:
    error = await rejection(service, client, responds(status, example(name)))

    assert (error.message, error.code) == (example(name)["message"], code)


WITHOUT_MESSAGE: dict[str, Behavior] = {
    "empty": responds(403),
    "HTML": responds(403, b"<html><h1>403 Forbidden</h1></html>"),
    "a list": responds(403, [{"message": "x"}]),
    "a number": responds(403, 7),
    "a message that is not text": responds(403, {"message": {"en": "x"}}),
    "a blank message": responds(403, {"message": " \n"}),
    "all null": responds(403, {"message": None, "code": None, "requirement": None}),
    "wrong types": responds(403, {"message": 1, "code": 2, "requirement": 3, "internalErrorCode": 4}),
    "huge": floods(20 * 1024 * 1024, 403),
    "cut off": sends(bytes_of(403, b'{"message": "Out', claimed=1000)),
    "endless": drips(403),
    "invalid gzip": responds(403, b"nothing", Content_Encoding="gzip"),
    "not UTF-8": responds(403, b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("behavior", WITHOUT_MESSAGE.values(), ids=WITHOUT_MESSAGE.keys())
async def test_a_rejection_without_a_message_is_reported(
    service: Service, client: VideoGen, behavior: Behavior
) -> None:
    error = await rejection(service, client, behavior)

    assert type(error) is Forbidden
    assert error.message in (
        "VideoGen responded with 403 Forbidden and gave no reason.",
        "VideoGen gave no reason.",
    )
    assert (error.code, error.requirement, error.internal_error_code) == (None, None, None)


async def test_a_status_without_a_name_is_reported_by_its_number(service: Service, client: VideoGen) -> None:
    error = await rejection(service, client, responds(799))

    assert error.message == "VideoGen responded with 799 and gave no reason."


async def test_a_message_is_shown_as_one_line(service: Service, client: VideoGen) -> None:
    error = await rejection(
        service, client, responds(400, {"message": "A\x1b[31m\r\nred\u202e \u0085line " + "x" * 5000})
    )

    assert error.message.startswith("A [31m red line xxx")
    assert error.message.isprintable()
    assert len(error.message) == 1000


async def test_a_redirect_is_not_followed(service: Service, client: VideoGen) -> None:
    error = await rejection(service, client, responds(308, b"", Location=f"{service.url}/v2"))

    assert error.message == "VideoGen is not at this address: it responded with a redirect (308)."


HOUR = 3600.0
DATE = "Thu, 28 May 2026 10:00:00 GMT"
AT = 1779962400  # the same, in Unix seconds


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry_After": "17"}, 17),
        ({"Retry_After": " 0 "}, 0),
        ({"Retry_After": "1.5"}, 1.5),
        ({"Retry_After": "17, 17"}, 17),
        ({"Retry_After": "99999999"}, 24 * HOUR),
        ({"Retry_After": "Thu, 28 May 2026 11:00:00 GMT", "Date": DATE}, HOUR),
        ({"Retry_After": "Thu, 28 May 2026 09:00:00 GMT", "Date": DATE}, 0),
        ({"Retry_After": "30", "X_RateLimit_Reset": str(AT + 3600), "Date": DATE}, 30),
        ({"X_RateLimit_Reset": str(AT + 3600), "Date": DATE}, HOUR),
        ({"X_RateLimit_Reset": str(AT - 1), "Date": DATE}, None),
        ({"X_RateLimit_Reset": "9" * 15, "Date": DATE}, 24 * HOUR),
        ({"Retry_After": "soon", "X_RateLimit_Reset": str(AT + 5), "Date": DATE}, 5),
        ({}, None),
        ({"Retry_After": "-5"}, None),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": "inf"}, None),
        ({"Retry_After": "1e9"}, None),
        ({"Retry_After": "²"}, None),
        ({"Retry_After": "Thu, 99 May 99999 10:00:00 GMT"}, None),
        ({"Retry_After": "x" * 10_000, "X_RateLimit_Reset": "x" * 10_000}, None),
    ],
)
async def test_the_time_to_wait_is_read_from_the_headers(
    service: Service, client: VideoGen, headers: dict[str, str], expected: float | None
) -> None:
    error = await rejection(service, client, responds(429, {"message": "Slow down."}, **headers))

    assert isinstance(error, RateLimited)
    assert error.retry_after == expected
    assert not error.out_of_credits


async def test_the_time_to_wait_is_measured_by_our_clock_without_a_date(
    service: Service, client: VideoGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(AT))
    error = await rejection(service, client, responds(429, Retry_After=formatdate(AT + 90, usegmt=True)))

    assert isinstance(error, RateLimited)
    assert error.retry_after == 90


async def test_used_up_credits_are_recognised(service: Service, client: VideoGen) -> None:
    reported = {"message": "Your team has no credits left.", "code": "insufficient_credits"}
    error = await rejection(service, client, responds(429, reported, Retry_After="60"))

    assert isinstance(error, RateLimited)
    assert error.out_of_credits


def test_errors_can_be_pickled_and_have_a_repr() -> None:
    error = pickle.loads(
        pickle.dumps(RateLimited("Slow down.", retry_after=3, status=429, code="rate_limited"))
    )

    assert (error.retry_after, error.status, str(error)) == (3, 429, "Slow down.")
    assert repr(error) == "RateLimited('Slow down.', status=429, code='rate_limited')"
