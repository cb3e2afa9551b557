"""Threads cross into the event loop in one module only, and leases are claimed by one queryset."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.plan import ROOT, modules, parsed

BRIDGE = Path("executions/core/sync_bridge.py")
CROSSINGS = {"run_coroutine_threadsafe", "call_soon_threadsafe", "async_to_sync"}
LEASING = Path("executions/core/leasing.py")
LOCKING = {"skip_locked", "nowait"}


def crossings(root: Path) -> list[str]:
    """Every place outside the bridge that calls into a loop from another thread."""
    return [
        f"{module}:{node.lineno} uses {name}"
        for module in modules(root, "executions", "dashboard")
        if module != BRIDGE
        for node in ast.walk(parsed(root, module))
        for name in CROSSINGS & _names(node)
    ]


def lockings(root: Path) -> list[str]:
    """Every place outside the leased queryset that passes over locked rows."""
    return [
        f"{module}:{node.value.lineno} uses {node.arg}"
        for module in modules(root, "executions", "dashboard")
        if module != LEASING
        for node in ast.walk(parsed(root, module))
        if isinstance(node, ast.keyword) and node.arg in LOCKING
    ]


def _names(node: ast.AST) -> set[str]:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return {name}
        case ast.ImportFrom(names=names):
            return {each.name for each in names}
    return set()


def test_one_module_crosses_into_the_loop() -> None:
    assert crossings(ROOT) == []


def test_one_queryset_passes_over_locked_rows() -> None:
    assert lockings(ROOT) == []


@pytest.mark.parametrize(
    "code",
    [
        "from asgiref.sync import async_to_sync\n",
        "import asyncio\nasyncio.run_coroutine_threadsafe(work(), loop)\n",
        "def wake(loop, event):\n    loop.call_soon_threadsafe(event.set)\n",
    ],
)
def test_a_planted_crossing_is_found(tmp_path: Path, code: str) -> None:
    (tmp_path / BRIDGE).parent.mkdir(parents=True)
    (tmp_path / BRIDGE).write_text(code)
    assert crossings(tmp_path) == []
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "planted.py").write_text(code)
    assert len(crossings(tmp_path)) == 1


def test_a_planted_claim_is_found(tmp_path: Path) -> None:
    (tmp_path / "executions").mkdir()
    (tmp_path / "executions" / "planted.py").write_text("rows.select_for_update(skip_locked=True)\n")
    assert lockings(tmp_path) == ["executions/planted.py:1 uses skip_locked"]
