"""Private names of daphne and twisted are used in one module only, and an upgrade that moves them is noticed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel, Request

from tests.house.source_tree import ROOT, imports, is_in, modules, parse

SERVER = "dashboard/server/daphne_server.py"
LIBRARIES = ("daphne", "twisted", "autobahn")
CHANNEL_NAMES = {"_networkProducer", "_path", "_command"}
TRANSPORT_NAMES = {"_tempDataLen"}
UNDOCUMENTED_TRANSPORT_NAMES = {"dataBuffer", "offset"}
# Classes of the module, and the methods of daphne and twisted that they override.
OVERRIDDEN = {
    "LimitedRequest": {"gotLength", "handleContentChunk", "process"},
    "LimitedFactory": {"buildProtocol"},
    "Server": {"create_application", "handle_reply", "listen_error", "listen_success", "run"},
}


def private_names(root: Path, module: Path) -> set[str]:
    """The private attributes of other objects that a module uses."""
    return {
        node.attr
        for node in ast.walk(parse(root, module))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in ("self", "cls")
    }


def private_uses(root: Path) -> list[str]:
    """The modules other than the server that use a private name of one of the libraries."""
    known = CHANNEL_NAMES | TRANSPORT_NAMES
    found = []
    for module in modules(root, "executions", "dashboard"):
        if module.as_posix() == SERVER:
            continue
        names = private_names(root, module)
        if not any(is_in(name, *LIBRARIES) for _, name in imports(root, module)):
            names &= known
        found += [f"{module} uses {name}" for name in sorted(names)]
    return found


def test_only_the_server_uses_private_names() -> None:
    assert private_uses(ROOT) == []


def test_the_private_names_of_the_server_are_those_that_are_tried_here() -> None:
    assert private_names(ROOT, Path(SERVER)) == CHANNEL_NAMES | TRANSPORT_NAMES


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def f(request):\n    request.channel._path\n", ["_path"]),
        ("from twisted.web.http import Request\n\n\ndef f(r):\n    return r._cookies\n", ["_cookies"]),
        (
            "import daphne.server\n\n\nclass S(daphne.server.Server):\n    def f(self):\n        self._x = 1\n",
            [],
        ),
        ("def f(model):\n    return model._meta\n", []),
    ],
)
def test_a_planted_private_name_is_found(tmp_path: Path, code: str, names: list[str]) -> None:
    (tmp_path / "dashboard" / "http").mkdir(parents=True)
    (tmp_path / "dashboard" / "http" / "planted.py").write_text(code)

    assert private_uses(tmp_path) == [f"dashboard/http/planted.py uses {name}" for name in names]


def missing(thing: object, names: set[str]) -> set[str]:
    return {name for name in names if not hasattr(thing, name)}


def test_a_channel_has_the_names_when_a_body_is_announced() -> None:
    """twisted sets two of them for one request only, so a request is received."""
    announced: list[Any] = []

    class Announced(Request):
        def gotLength(self, length: int | None) -> None:
            announced.append((length, missing(self.channel, CHANNEL_NAMES)))
            announced.append((self.channel._command, self.channel._path))
            super().gotLength(length)

    channel = HTTPChannel()
    channel.timeOut = None
    channel.requestFactory = Announced
    channel.makeConnection(StringTransport())
    channel.dataReceived(b"POST /files/?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")

    assert announced == [(5, set()), (b"POST", b"/files/?x=1")]
    assert missing(channel._networkProducer, {"pauseProducing", "resumeProducing"}) == set()


def test_a_transport_counts_what_it_has_not_sent() -> None:
    transport = FileDescriptor(reactor=object())
    assert missing(transport, TRANSPORT_NAMES | UNDOCUMENTED_TRANSPORT_NAMES) == set()
    transport.connected = True
    transport.startWriting = lambda: None
    transport.write(b"12345")

    assert len(transport.dataBuffer) - transport.offset + transport._tempDataLen == 5


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_the_server_overrides_exists(name: str) -> None:
    from dashboard.server import daphne_server  # installs the event loop of the server

    bases = getattr(daphne_server, name).__bases__
    assert [missing(base, OVERRIDDEN[name]) for base in bases] == [set()]


def test_daphne_creates_its_factory_by_the_name_that_is_replaced() -> None:
    import daphne.server

    assert "HTTPFactory(" in Path(daphne.server.__file__).read_text()


def test_a_name_that_an_upgrade_moved_is_found() -> None:
    class Upgraded:
        _path = b"/"

    assert missing(Upgraded(), CHANNEL_NAMES) == {"_networkProducer", "_command"}
