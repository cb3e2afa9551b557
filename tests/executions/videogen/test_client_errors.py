"""What an answer that says no becomes: the kind by its status, the words for a person, the wait after a 429."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from executions.videogen import (
    AnswerLost,
    Conflict,
    Forbidden,
    InvalidRequest,
    MalformedAnswer,
    NotFound,
    RateLimited,
    Refused,
    ServerError,
    Unauthorized,
    Unreachable,
    VideoGen,
    VideoGenError,
)
from tests.executions.videogen.misbehaving_service import (
    Behaviour,
    Service,
    answers,
    bytes_of,
    drips,
    floods,
    sends,
)


async def refusal(service: Service, client: VideoGen, behaviour: Behaviour) -> VideoGenError:
    service.will(behaviour)
    with pytest.raises(VideoGenError) as caught:
        await client.start_tool("generate-image", {})
    assert len(service.asked) == 1
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
async def test_the_status_decides(
    service: Service, client: VideoGen, status: int, kind: type[VideoGenError]
) -> None:
    error = await refusal(service, client, answers(status, {"message": "No.", "code": "insufficient_funds"}))

    assert type(error) is kind
    assert error.status == status
    assert isinstance(error, Refused) == (status < 500)


def test_the_tree() -> None:
    assert issubclass(Conflict, InvalidRequest)
    assert issubclass(MalformedAnswer, AnswerLost)
    assert not issubclass(Unreachable, AnswerLost)
    assert not issubclass(AnswerLost, Refused)


async def test_the_whole_body_is_kept(
    service: Service, client: VideoGen, example: Callable[[str], Any]
) -> None:
    told = example("error-requirement") | {"code": "not_authorized", "internalErrorCode": "E-77", "new": [1]}
    error = await refusal(service, client, answers(403, told, X_Request_Id="req-9"))

    assert str(error) == error.message == "Output without a watermark needs the Production API add-on."
    assert error.code == "not_authorized"
    assert error.requirement == {"type": "purchase_add_on", "details": {"addOn": "production_api"}}
    assert error.internal_error_code == "E-77"
    assert error.request_id == "req-9"
    assert error.raw == told


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
async def test_examples(
    service: Service,
    client: VideoGen,
    example: Callable[[str], Any],
    name: str,
    status: int,
    code: str | None,
) -> None:
    error = await refusal(service, client, answers(status, example(name)))

    assert (error.message, error.code) == (example(name)["message"], code)


SPEECHLESS: dict[str, Behaviour] = {
    "empty": answers(403),
    "HTML": answers(403, b"<html><h1>403 Forbidden</h1></html>"),
    "a list": answers(403, [{"message": "x"}]),
    "a number": answers(403, 7),
    "a message that is none": answers(403, {"message": {"en": "x"}}),
    "a blank message": answers(403, {"message": " \n"}),
    "all null": answers(403, {"message": None, "code": None, "requirement": None}),
    "wrong types": answers(403, {"message": 1, "code": 2, "requirement": 3, "internalErrorCode": 4}),
    "huge": floods(20 * 1024 * 1024, 403),
    "cut": sends(bytes_of(403, b'{"message": "Out', claimed=1000)),
    "without end": drips(403),
    "wrongly packed": answers(403, b"nothing", Content_Encoding="gzip"),
    "not UTF-8": answers(403, b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("behaviour", SPEECHLESS.values(), ids=SPEECHLESS.keys())
async def test_a_no_without_words_is_still_a_no(
    service: Service, client: VideoGen, behaviour: Behaviour
) -> None:
    error = await refusal(service, client, behaviour)

    assert type(error) is Forbidden
    assert error.message in (
        "VideoGen answered 403 Forbidden and gave no reason.",
        "VideoGen gave no reason.",
    )
    assert (error.code, error.requirement, error.internal_error_code) == (None, None, None)


async def test_a_status_without_a_name(service: Service, client: VideoGen) -> None:
    error = await refusal(service, client, answers(799))

    assert error.message == "VideoGen answered 799 and gave no reason."


async def test_a_message_is_one_readable_line(service: Service, client: VideoGen) -> None:
    error = await refusal(
        service, client, answers(400, {"message": "A\x1b[31m\r\nred\u202e \u0085line " + "x" * 5000})
    )

    assert error.message.startswith("A [31m red line xxx")
    assert error.message.isprintable()
    assert len(error.message) == 1000


async def test_a_redirect_is_not_followed(service: Service, client: VideoGen) -> None:
    error = await refusal(service, client, answers(308, b"", Location=f"{service.url}/v2"))

    assert error.message == "VideoGen is not at this address: it answered with a redirect (308)."


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
async def test_how_long_to_wait(
    service: Service, client: VideoGen, headers: dict[str, str], expected: float | None
) -> None:
    error = await refusal(service, client, answers(429, {"message": "Slow down."}, **headers))

    assert isinstance(error, RateLimited)
    assert error.retry_after == expected
    assert not error.out_of_credits


async def test_how_long_to_wait_by_our_clock(
    service: Service, client: VideoGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(AT))
    error = await refusal(service, client, answers(429, Retry_After=formatdate(AT + 90, usegmt=True)))

    assert isinstance(error, RateLimited)
    assert error.retry_after == 90


async def test_out_of_credits(service: Service, client: VideoGen) -> None:
    told = {"message": "Your team has no credits left.", "code": "insufficient_credits"}
    error = await refusal(service, client, answers(429, told, Retry_After="60"))

    assert isinstance(error, RateLimited)
    assert error.out_of_credits


def test_errors_can_be_pickled_and_shown() -> None:
    error = pickle.loads(
        pickle.dumps(RateLimited("Slow down.", retry_after=3, status=429, code="rate_limited"))
    )

    assert (error.retry_after, error.status, str(error)) == (3, 429, "Slow down.")
    assert repr(error) == "RateLimited('Slow down.', status=429, code='rate_limited')"
