"""Random requests to the receiver cause no error, and only those with a valid signature are stored."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from executions.core import runtime
from executions.models import WebhookDelivery
from executions.videogen import BadSignature, verify
from tests.dashboard.serving import Serving
from tests.factories import jobs
from tests.factories.deliveries import SECRET, URL
from tests.security import fuzzing
from tests.security.fuzzing import FuzzedRequest, Tally
from tests.security.test_receiver_wire import assert_alive, status, stored

# Random only if FUZZ_REQUESTS is set; otherwise the same requests every time.
COMMON = settings(
    deadline=None,
    database=None,
    derandomize="FUZZ_REQUESTS" not in os.environ,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


async def response_status(application: Any, request: FuzzedRequest) -> int:
    """The status of the response; 0 if the sender disconnected."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": URL,
        "raw_path": URL.encode(),
        "query_string": request.query,
        "root_path": "",
        "headers": request.headers,
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    last = len(request.parts) - 1
    messages = [
        {"type": "http.request", "body": part, "more_body": request.disconnects or number < last}
        for number, part in enumerate(request.parts)
    ]
    messages.append({"type": "http.disconnect"})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return int(sent[0]["status"]) if sent else 0


@pytest.mark.django_db(transaction=True)
def test_random_requests_cause_no_error_and_only_signed_ones_are_stored() -> None:
    """Faults 26 to 30: every request is answered below 500, and only a valid signature leads to a row."""
    from dashboard.asgi import application

    loop = asyncio.new_event_loop()
    tally, signed_ids = Tally(), set[str]()

    def run(work: Any) -> Any:
        return loop.run_until_complete(work)

    run(runtime.in_db(jobs.running, fuzzing.EXISTING_JOBS[0]))
    finished = run(runtime.in_db(jobs.running, fuzzing.EXISTING_JOBS[1]))
    run(runtime.in_db(jobs.report, finished, "failed"))

    @settings(COMMON, max_examples=fuzzing.REQUESTS // fuzzing.BATCH_SIZE)
    @given(fuzzing.batches())
    def send_batch(requests: list[FuzzedRequest]) -> None:
        for request in requests:
            send_one(request)
        assert run(runtime.in_db(newest_ids)) <= signed_ids | ALSO_VALID

    def send_one(request: FuzzedRequest) -> None:
        code = run(response_status(application, request))
        tally.count(code)
        assert code < 500
        if request.webhook_id:
            signed_ids.add(request.webhook_id)
        elif not request.disconnects:
            assert 400 <= code < 500 or (code == 200 and _is_still_valid(request))

    try:
        send_batch()
        unsigned = run(runtime.in_db(all_ids)) - signed_ids
    finally:
        run(asyncio.sleep(0))  # let the loop finish cancelled tasks
        loop.close()
    print(f"\n{sum(tally.statuses.values())} requests: {dict(sorted(tally.statuses.items()))}")
    assert unsigned <= ALSO_VALID
    # All responses occurred, not only the first check's.
    assert {200, 400, 401, 405} <= tally.statuses.keys()


ALSO_VALID: set[str] = set()


def _is_still_valid(request: FuzzedRequest) -> bool:
    """Whether the signature is valid despite random headers beside it."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key = name.decode("latin-1").replace("_", "-")
        headers[key] = (
            f"{headers[key]},{value.decode('latin-1')}" if key in headers else value.decode("latin-1")
        )
    try:
        ALSO_VALID.add(verify(headers, request.body, [SECRET]).webhook_id)
    except BadSignature:
        return False
    return True


def newest_ids() -> set[str]:
    return set(
        WebhookDelivery.objects.order_by("-id").values_list("webhook_id", flat=True)[: fuzzing.BATCH_SIZE]
    )


def all_ids() -> set[str]:
    return set(WebhookDelivery.objects.values_list("webhook_id", flat=True))


def test_random_requests_over_tcp_cause_no_error(serving: Serving) -> None:
    """Faults 26 to 30, over TCP: answered below 500 or dropped, no row, and the server still works."""
    before, tally = stored(serving), Tally()
    errors_before = len(serving.errors)  # other tests use the same server

    @settings(COMMON, max_examples=fuzzing.TCP_REQUESTS // fuzzing.BATCH_SIZE)
    @given(fuzzing.batches())
    def send_batch(requests: list[FuzzedRequest]) -> None:
        for request in requests:
            send_one(request)

    def send_one(request: FuzzedRequest) -> None:
        request.headers = [(name, value) for name, value in request.headers if name != b"webhook-signature"]
        code = status(exchange(serving, request))
        tally.count(code)
        assert code < 500

    send_batch()
    print(f"\n{sum(tally.statuses.values())} requests over TCP: {dict(sorted(tally.statuses.items()))}")
    assert stored(serving) == before
    assert_alive(serving)
    assert "Traceback" not in serving.errors[errors_before:]


def exchange(serving: Serving, request: FuzzedRequest) -> bytes:
    """Send the request as it is, including line breaks in headers; the start of the response."""
    lines = [
        f"{request.method} {URL}?".encode() + request.query.translate(None, b" \r\n") + b" HTTP/1.1",
        b"host: 127.0.0.1",
    ]
    lines += [name + b": " + value for name, value in request.headers]
    lines += [f"content-length: {len(request.body)}".encode(), b"connection: close"]
    with closing(socket.create_connection((serving.host, serving.port), 10)) as wire:
        wire.settimeout(10)
        with suppress(ConnectionError):
            wire.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + request.body)
            wire.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(TimeoutError, ConnectionError):
            while b"\r\n\r\n" not in received and (more := wire.recv(65536)):
                received += more
        return received
