"""The server's memory during an upload of 2 GB, a download, and a ZIP of 100 results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from benchmarks.product import Rushes, folder, free_port, rushes, sandbox
from benchmarks.table import Figure, at_most, info

MIB = 1024 * 1024
UPLOAD = 2048 * MIB
RESULTS, RESULT = 100, 6 * MIB  # number, and bytes of each
PIECE = bytes(256 * 1024)
# The header of a WAV file; silence follows.
WAV = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\xff\xff\xff\xff"


class Media(BaseHTTPRequestHandler):
    """Sends the same bytes for every path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(RESULT))
        self.end_headers()
        for _ in range(RESULT // len(PIECE)):
            self.wfile.write(PIECE)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def media_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Media)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


TIMEOUT = 600  # seconds


def measure() -> list[Figure]:
    with (
        folder() as place,
        media_server() as media,
        sandbox(place, speed=50) as service,
        rushes(place, service=service, batch=RESULTS, media=media) as product,
        httpx.Client(base_url=product.url, timeout=300, trust_env=False) as browser,
    ):
        browser.headers["Cookie"] = product.cookie("admin")
        # Warm up with something small before each measurement: one-time loading does not count.
        address = _upload(browser, 4 * MIB)
        _download(browser, f"{address}download")
        uploaded = _growth(product, lambda: _upload(browser, UPLOAD))
        zipped = f"/batches/{product.seeded.batch}/results.zip"
        _download(browser, zipped, limit=2 * RESULT)
        archived = _growth(product, lambda: _download(browser, zipped))
        address = _upload(browser, 256 * MIB)
        saved = _growth(product, lambda: _download(browser, f"{address}download"))
        return [
            at_most("memory: growth while 2 GB are uploaded", uploaded, 64, "MB"),
            at_most(
                f"memory: growth while {RESULTS} results ({RESULTS * RESULT // MIB} MB) are zipped",
                archived,
                16,
                "MB",
            ),
            at_most("memory: growth while 256 MB are downloaded", saved, 16, "MB"),
            info("memory: the server at rest before", product.memory() / MIB, "MB"),
        ]


def _growth(product: Rushes, act: Callable[[], object]) -> float:
    """The maximum growth of the server's memory during `act`, in MB."""
    before = product.memory()
    product.reset_peak()
    act()
    return (product.peak() - before) / MIB


def _upload(browser: httpx.Client, size: int) -> str:
    """Upload a file and return the URL of its page once the file is ready."""
    page = browser.get("/files/upload/")
    token = page.cookies.get("csrftoken") or browser.cookies.get("csrftoken") or ""
    cookie = f"{browser.headers['Cookie']}; csrftoken={token}"
    headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream", "X-CSRFToken": token}
    answer = browser.post(
        "/files/upload/?name=silence.wav", content=_pieces(size), headers={**headers, "Cookie": cookie}
    )
    if answer.status_code != 201:
        raise RuntimeError(f"an upload returned {answer.status_code}: {answer.text[:200]}")
    uploaded = answer.json()
    for _ in range(600):
        state = browser.get(f"/files/states/?id={uploaded['id']}").json()["files"][0]["state"]
        if state == "ready":
            return str(uploaded["url"])
        if state == "failed":
            break
        threading.Event().wait(0.5)
    return str(uploaded["url"])


def _pieces(size: int) -> Iterator[bytes]:
    yield WAV
    left = size - len(WAV)
    while left > 0:
        yield PIECE[:left]
        left -= len(PIECE)


def _download(browser: httpx.Client, address: str, limit: int | None = None) -> int:
    """Read a response to its end or to about `limit` bytes. Returns the number of bytes."""
    received = 0
    with browser.stream("GET", address) as answer:
        if answer.status_code != 200:
            raise RuntimeError(f"{address} returned {answer.status_code}")
        for piece in answer.iter_raw():
            received += len(piece)
            if limit is not None and received >= limit:
                break
    return received
