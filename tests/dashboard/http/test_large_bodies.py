"""Large bodies sent to the real server: who may send one, and none is held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from executions.files import uploads
from tests.dashboard.serving import Serving
from tests.executions.files.media import png
from tests.markup import every
from tests.processes import peak_memory
from tests.waiting import eventually

MIB = 1024 * 1024
UPLOAD = "/files/upload/?name=large.png"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    server = Serving(tmp_path_factory.mktemp("large") / "data")
    yield server
    server.end()


def pieces(size: int) -> Iterator[bytes]:
    """An image, followed by zeros."""
    head = png()
    yield head
    left, piece = size - len(head), bytes(256 * 1024)
    while left > 0:
        yield piece[:left]
        left -= len(piece)


def send(client: httpx.Client, size: int, path: str = UPLOAD, **headers: str) -> httpx.Response:
    proof = {"X-CSRFToken": client.cookies.get("csrftoken", ""), "Content-Type": "application/octet-stream"}
    return client.post(path, content=pieces(size), headers={"Content-Length": str(size), **proof, **headers})


def rejection(send_request: Any) -> int:
    """The status of a rejection during the upload; 0 if the connection was closed first."""
    try:
        return send_request().status_code
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return 0


def test_a_large_upload_uses_no_memory(serving: Serving) -> None:
    size = 160 * MIB
    with serving.signed_in() as client:
        client.timeout = httpx.Timeout(120)
        assert send(client, 4 * MIB).status_code == 201
        before = peak_memory(serving.process.pid)
        answer = send(client, size)
        assert answer.status_code == 201, answer.text
        assert peak_memory(serving.process.pid) - before < 64
        state = f"/files/states/?id={answer.json()['id']}"
        eventually(lambda: client.get(state).json()["files"][0]["state"] == "ready")
        before = peak_memory(serving.process.pid)
        with client.stream("GET", f"{answer.json()['url']}download") as saved:
            assert saved.status_code == 200
            assert saved.headers["content-disposition"].startswith("attachment")
            assert sum(len(piece) for piece in saved.iter_raw()) == size
        assert peak_memory(serving.process.pid) - before < 64, "it is streamed and never held completely"


def test_a_large_body_requires_a_session(serving: Serving) -> None:
    with serving.client() as client:
        client.get("/sign-in/")
        assert rejection(lambda: send(client, 64 * MIB)) in (403, 0)
        client.cookies.set("sessionid", "0123456789abcdefghijklmnopqrstuv")
        assert rejection(lambda: send(client, 64 * MIB)) in (403, 0)
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/files/upload", "/files/", "/", "/webhooks/videogen/", "/files/upload/x"])
def test_no_other_path_accepts_a_large_body(path: str, serving: Serving) -> None:
    with serving.signed_in() as client:
        assert rejection(lambda: send(client, 4 * MIB, path)) in (413, 0)
        assert client.get("/files/").status_code == 200


def test_a_body_larger_than_the_largest_file_is_rejected_early(serving: Serving) -> None:
    with serving.signed_in() as client:
        assert rejection(lambda: send(client, uploads.MAX_BYTES + 64 * MIB)) in (413, 0)


def test_a_body_of_unknown_length_stays_within_the_small_limit(serving: Serving) -> None:
    with serving.signed_in() as client:
        token = {"X-CSRFToken": client.cookies["csrftoken"], "Content-Type": "application/octet-stream"}
        assert rejection(lambda: client.post(UPLOAD, content=pieces(16 * MIB), headers=token)) in (413, 0)


def test_an_interrupted_upload_leaves_no_file(serving: Serving) -> None:
    def interrupted() -> Iterator[bytes]:
        yield from pieces(8 * MIB)
        raise ConnectionAbortedError

    with serving.signed_in() as client:
        before = len(every(client.get("/files/").text, ".file-tile"))
        proof = {"X-CSRFToken": client.cookies["csrftoken"], "Content-Length": str(32 * MIB)}
        with pytest.raises(ConnectionAbortedError):
            client.post(UPLOAD, content=interrupted(), headers=proof)
    with serving.signed_in() as client:
        page = client.get("/files/").text
        assert len(every(page, ".file-tile")) == before
    assert "Traceback" not in serving.errors


def test_a_form_of_several_megabytes_is_accepted(serving: Serving) -> None:
    with serving.signed_in() as client:
        data = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        files = {"file": ("form.png", png(padding=6 * MIB))}
        answer = client.post("/files/upload/", data=data, files=files)
        assert answer.status_code == 303, answer.text
        assert "form.png" in client.get("/files/upload/").text
