"""Verifying deliveries. The signatures are made by the reference library, or taken from the documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from executions.videogen import BadSignature, Reason, VerifiedDelivery, verify
from executions.videogen.signature import MAX_WEBHOOK_ID_LENGTH

SECRET = "whsec_c2FuZGJveC1leGFtcGxlLWtleS0wMDAxLTMyYnl0ZXM="
OTHER = "whsec_" + base64.b64encode(b"another secret of thirty-two byt").decode()
ID, AT = "msg_01sandboxvector", 1779962412
BODY = (
    b'{"event":"tool_execution.cancelled","toolExecutionId":"vg_exec_d5Wa7OeBt0QvHi4FlUs9zR",'
    b'"toolType":"UPSCALE_VIDEO","occurredAt":1779962412}'
)
SIGNATURE = "v1,zKnAPQVlNB9Y4/JjfxPO4XLOGFghWMH2CnyJRiTFEJ8="
HEADERS = MappingProxyType({"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": SIGNATURE})


def signed(body: bytes, *, secret: str = SECRET, at: int = AT, webhook_id: str = ID) -> dict[str, str]:
    """Headers as VideoGen would send them, also for bodies that the reference library cannot sign."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{webhook_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def reason(
    headers: dict[str, str], body: bytes = BODY, secrets: list[str] | None = None, now: float = AT
) -> Reason:
    with pytest.raises(BadSignature) as caught:
        verify(headers, body, [SECRET] if secrets is None else secrets, now)
    assert str(caught.value)
    return caught.value.reason


def test_the_documented_test_vector_is_accepted() -> None:
    assert verify(HEADERS, BODY, [SECRET], AT) == VerifiedDelivery(webhook_id=ID, timestamp=AT)


@given(body=st.text(st.characters(codec="utf-8")), webhook_id=st.from_regex(r"[!-~]{1,64}", fullmatch=True))
def test_signatures_of_the_reference_library_are_accepted(body: str, webhook_id: str) -> None:
    signature = Webhook(SECRET).sign(webhook_id, datetime.fromtimestamp(AT, UTC), body)
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(AT), "webhook-signature": signature}

    assert verify(headers, body.encode(), [SECRET], AT).webhook_id == webhook_id


@given(body=st.binary())
def test_any_bytes_can_be_signed(body: bytes) -> None:
    assert verify(signed(body), body, [SECRET], AT).timestamp == AT


def test_it_uses_the_clock_when_no_time_is_given() -> None:
    now = int(datetime.now(UTC).timestamp())

    assert verify(signed(BODY, at=now), BODY, [SECRET]).timestamp == now
    with pytest.raises(BadSignature):
        verify(HEADERS, BODY, [SECRET])


def test_header_names_are_case_insensitive() -> None:
    assert (
        verify({name.title(): value for name, value in HEADERS.items()}, BODY, [SECRET], AT).webhook_id == ID
    )


def test_any_of_several_secrets_may_match() -> None:
    assert verify(HEADERS, BODY, [OTHER, SECRET], AT).webhook_id == ID
    assert verify(HEADERS, BODY, ["", "!", "whsec_", "whsec_ü", SECRET], AT).webhook_id == ID
    assert verify(HEADERS, BODY, [SECRET.removeprefix("whsec_").rstrip("=")], AT).webhook_id == ID


@pytest.mark.parametrize(
    "signatures",
    [
        f"v1,AAAA {SIGNATURE}",
        f"{SIGNATURE} v1,AAAA",
        f"v0,AAAA v1a,BBBB {SIGNATURE} v2,CCCC",
        f"junk , v1 v1, {SIGNATURE}",
        f"  {SIGNATURE}  ",
    ],
)
def test_any_of_several_signatures_may_match(signatures: str) -> None:
    assert verify(HEADERS | {"webhook-signature": signatures}, BODY, [SECRET], AT).webhook_id == ID


@pytest.mark.parametrize(
    "signatures",
    [
        SIGNATURE.replace("v1,", "v0,"),
        SIGNATURE.replace("v1,", "v1a,"),
        SIGNATURE.replace("v1,", "V1,"),
        SIGNATURE.replace("v1,", ""),
        SIGNATURE[:-2],
        SIGNATURE + "A",
        "v1,",
        "v1",
        ",",
        "v1,ÿÿÿ",
        "v1,\ud800",
        "v1,x " * 3000,
    ],
)
def test_invalid_signatures_do_not_match(signatures: str) -> None:
    assert reason(dict(HEADERS) | {"webhook-signature": signatures}) is Reason.NO_MATCH


def test_any_alteration_is_detected() -> None:
    headers = dict(HEADERS)

    assert reason(headers, body=BODY + b" ") is Reason.NO_MATCH
    assert reason(headers | {"webhook-id": "msg_02"}) is Reason.NO_MATCH
    assert reason(headers | {"webhook-timestamp": str(AT + 1)}) is Reason.NO_MATCH
    assert reason(headers, secrets=[OTHER]) is Reason.NO_MATCH


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_header_is_reported(name: str, value: str | None) -> None:
    headers = dict(HEADERS)
    del headers[name]

    assert reason(headers if value is None else headers | {name: value}) is Reason.MISSING_HEADER


@pytest.mark.parametrize("webhook_id", ["müll", "x" * 256, "x" * 10_000])
def test_an_invalid_id_counts_as_missing(webhook_id: str) -> None:
    assert reason(dict(HEADERS) | {"webhook-id": webhook_id}) is Reason.MISSING_HEADER


def test_an_id_of_the_maximum_length_is_valid() -> None:
    longest = "x" * MAX_WEBHOOK_ID_LENGTH

    assert verify(signed(BODY, webhook_id=longest), BODY, [SECRET], AT).webhook_id == longest
    assert reason(signed(BODY, webhook_id=longest + "x")) is Reason.MISSING_HEADER


@pytest.mark.parametrize(
    "timestamp",
    [
        "-1779962412",
        "+1779962412",
        "1779962412.5",
        "1e9",
        "nan",
        "now",
        "١٧٧٩٩٦٢٤١٢",
        "²",
        "0x6a",
        "9" * 10_000,
        "1 2",
    ],
)
def test_an_invalid_timestamp_is_rejected(timestamp: str) -> None:
    assert reason(dict(HEADERS) | {"webhook-timestamp": timestamp}) is Reason.BAD_TIMESTAMP


def test_a_delivery_is_valid_for_five_minutes_in_either_direction() -> None:
    headers = dict(HEADERS)

    assert verify(headers, BODY, [SECRET], AT + 300).timestamp == AT
    assert verify(headers, BODY, [SECRET], AT - 300).timestamp == AT
    assert reason(headers, now=AT + 300.5) is Reason.STALE
    assert reason(headers, now=AT - 301) is Reason.STALE
    assert reason(headers | {"webhook-timestamp": "0"}) is Reason.STALE


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_"], ["whsec_x"], ["ü"]])
def test_no_secret_is_configured(secrets: list[str]) -> None:
    assert reason(dict(HEADERS), secrets=secrets) is Reason.NO_SECRET


@given(
    headers=st.dictionaries(st.sampled_from([*HEADERS, "Webhook-Id"]), st.text(max_size=200)),
    body=st.binary(max_size=50),
    secrets=st.lists(st.text(max_size=50), max_size=3),
)
def test_junk_raises_nothing_but_bad_signature(
    headers: dict[str, str], body: bytes, secrets: list[str]
) -> None:
    with pytest.raises(BadSignature):
        verify(headers, body, secrets, AT)
