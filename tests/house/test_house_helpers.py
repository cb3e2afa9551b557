"""Helpers that used to be repeated exist once: each of them is recognised by what it does, not by its name."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT, called_name, modules, parse

CSV_FORMULA_PREFIXES = {"=", "+", "-", "@"}


def _parses_uuid(node: ast.AST) -> bool:
    """Text that may not be a UUID: `try: UUID(text) except ValueError`."""
    return isinstance(node, ast.Try) and any(
        isinstance(each, ast.Call) and called_name(each) == "UUID"
        for statement in node.body
        for each in ast.walk(statement)
    )


def _parses_day(node: ast.AST) -> bool:
    """`date.fromisoformat(text)`, or `strptime`. Times are parsed elsewhere."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == "strptime" or ast.unparse(node.func).endswith("date.fromisoformat")


def _lists_formula_prefixes(node: ast.AST) -> bool:
    """The characters that make a cell of a spreadsheet a formula, in a list or in one string."""
    match node:
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            values = {each.value for each in elements if isinstance(each, ast.Constant)}
            return values >= CSV_FORMULA_PREFIXES
        case ast.Constant(value=str(text)):
            return set(text) >= CSV_FORMULA_PREFIXES and len(text) <= 2 * len(CSV_FORMULA_PREFIXES)
    return False


def _requests_a_range(node: ast.AST) -> bool:
    """A download that resumes: it sends `Range: bytes=…-`."""
    if not isinstance(node, ast.JoinedStr) or not node.values:
        return False
    first = node.values[0]
    return isinstance(first, ast.Constant) and str(first.value).startswith("bytes=")


def _loops_for_ever(node: ast.AST) -> bool:
    """`while True` without an end: the loop of a worker."""
    if not isinstance(node, ast.While) or not isinstance(node.test, ast.Constant):
        return False
    return not any(isinstance(each, ast.Return | ast.Break) for each in ast.walk(node))


def _encodes_a_query(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.alias) and _last_name(node) in {
        "urlencode",
        "quote_plus",
    }


def _last_name(node: ast.Name | ast.Attribute | ast.alias) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
            return name
    return ""


def _redirects_by_get(node: ast.AST) -> bool:
    """A redirect with status 303: `status=303` in a call, or set afterwards."""
    match node:
        case ast.keyword(arg="status", value=ast.Constant(value=303)):
            return True
        case ast.Assign(targets=[ast.Attribute(attr="status_code")], value=ast.Constant(value=303)):
            return True
    return False


def _makes_http_client(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and called_name(node) == "AsyncClient"


# Helper: how to recognise it, and the modules that may contain it.
HELPERS: dict[str, tuple[Callable[[ast.AST], bool], set[str]]] = {
    "a UUID or None": (_parses_uuid, {"executions/core/ids.py"}),
    "a day": (_parses_day, {"dashboard/http/params.py"}),
    "the guard against CSV formulas": (_lists_formula_prefixes, {"dashboard/http/csv_safety.py"}),
    "a download that resumes": (_requests_a_range, {"executions/files/media_download.py"}),
    # The fan-out is driven by messages, and its tasks end with the last open page.
    "the loop of a worker": (_loops_for_ever, {"executions/core/worker.py", "dashboard/live/fanout.py"}),
    "a query string": (_encodes_a_query, {"dashboard/http/query_urls.py"}),
    "an HTTP client": (_makes_http_client, {"executions/videogen/http_client.py"}),
    "a redirect after a form": (_redirects_by_get, {"dashboard/http/redirects.py"}),
}
PLANTED = {
    "a UUID or None": [
        "def f(text):\n    try:\n        return uuid.UUID(text)\n    except ValueError:\n        return None\n",
        "try:\n    found = [UUID(each) for each in texts]\nexcept (TypeError, ValueError):\n    found = []\n",
    ],
    "a day": [
        "day = date.fromisoformat(text)\n",
        "day = datetime.date.fromisoformat(text)\n",
        "day = datetime.strptime(text, '%Y-%m-%d').date()\n",
    ],
    "the guard against CSV formulas": [
        "UNSAFE = ('=', '+', '-', '@')\n",
        "def safe(cell):\n    return \"'\" + cell if cell[:1] in '=+-@\\t\\r' else cell\n",
    ],
    "a download that resumes": [
        "headers['Range'] = f'bytes={offset}-'\n",
        "client.get(url, headers={'range': f'bytes={first}-{last}'})\n",
    ],
    "the loop of a worker": [
        "async def run():\n    while True:\n        await step()\n        await asyncio.sleep(5)\n",
        "def run():\n    while 1:\n        step()\n",
    ],
    "a query string": [
        "from urllib.parse import urlencode\n",
        "url = path + '?' + parse.urlencode(terms)\n",
    ],
    "an HTTP client": [
        "client = httpx.AsyncClient(timeout=5)\n",
        "async def f():\n    async with AsyncClient() as http:\n        await http.get('/')\n",
    ],
    "a redirect after a form": [
        "def view(request):\n    return HttpResponseRedirect('/', status=303)\n",
        "response = redirect('studio')\nresponse.status_code = 303\n",
    ],
}
HARMLESS = [
    "ids = [uuid.UUID(each) for each in stored]\n",
    "at = datetime.fromisoformat(text)\n",
    "SIGNS = ('+', '-')\nTEXT = 'a = b + c - d @ e: a long sentence'\n",
    "span = re.fullmatch(r'bytes=(\\d+)-', header)\n",
    "while True:\n    page = read()\n    if not page:\n        break\n",
    "url = with_query(path, terms)\n",
    "response = render(request, template, status=422)\n",
]


def repetitions(root: Path, helper: str) -> list[str]:
    """The places of the code that contain `helper` and should call it instead."""
    recognises, allowed = HELPERS[helper]
    return [
        f"{module}:{getattr(node, 'lineno', 0)}"
        for module in modules(root, "executions", "dashboard")
        if module.as_posix() not in allowed and "migrations" not in module.parts
        for node in ast.walk(parse(root, module))
        if recognises(node)
    ]


@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_exists_once(helper: str) -> None:
    assert repetitions(ROOT, helper) == []


@pytest.mark.parametrize("helper", HELPERS)
def test_the_helper_itself_is_recognised(helper: str) -> None:
    """Otherwise a test above would pass because the helper is written in another way by now."""
    recognises, allowed = HELPERS[helper]
    for module in allowed:
        assert any(recognises(node) for node in ast.walk(parse(ROOT, Path(module)))), module


@pytest.mark.parametrize(
    ("helper", "code"), [(name, code) for name, codes in PLANTED.items() for code in codes]
)
def test_a_planted_copy_is_found(tmp_path: Path, helper: str, code: str) -> None:
    for package in ("executions", "dashboard"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "planted.py").write_text(code)

    found = [place.partition(":")[0] for place in repetitions(tmp_path, helper)]
    assert found == ["dashboard/planted.py", "executions/planted.py"]


@pytest.mark.parametrize("code", HARMLESS)
def test_similar_code_is_allowed(tmp_path: Path, code: str) -> None:
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "planted.py").write_text(code)

    assert [helper for helper in HELPERS if repetitions(tmp_path, helper)] == []
