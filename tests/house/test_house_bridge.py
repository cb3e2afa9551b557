"""Only one module calls into the event loop from other threads, and only one queryset claims leases."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT, modules, parse

BRIDGE = Path("executions/core/sync_bridge.py")
CROSSINGS = {"run_coroutine_threadsafe", "call_soon_threadsafe", "async_to_sync"}
LEASING = Path("executions/core/leasing.py")
LOCKING = {"skip_locked", "nowait"}


def crossings(root: Path) -> list[str]:
    """Every place outside the bridge that calls into an event loop from another thread."""
    return [
        f"{module}:{node.lineno} uses {name}"
        for module in modules(root, "executions", "dashboard")
        if module != BRIDGE
        for node in ast.walk(parse(root, module))
        for name in CROSSINGS & _names(node)
    ]


def lockings(root: Path) -> list[str]:
    """Every place outside the lease queryset that skips locked rows or fails on them."""
    return [
        f"{module}:{node.value.lineno} uses {node.arg}"
        for module in modules(root, "executions", "dashboard")
        if module != LEASING
        for node in ast.walk(parse(root, module))
        if isinstance(node, ast.keyword) and node.arg in LOCKING
    ]


def _names(node: ast.AST) -> set[str]:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return {name}
        case ast.ImportFrom(names=names):
            return {each.name for each in names}
    return set()


def test_only_the_bridge_calls_into_the_loop() -> None:
    assert crossings(ROOT) == []


def test_only_the_lease_queryset_skips_locked_rows() -> None:
    assert lockings(ROOT) == []


@pytest.mark.parametrize(
    "code",
    [
        "from asgiref.sync import async_to_sync\n",
        "import asyncio\nasyncio.run_coroutine_threadsafe(work(), loop)\n",
        "def wake(loop, event):\n    loop.call_soon_threadsafe(event.set)\n",
    ],
)
def test_a_planted_call_into_the_loop_is_found(tmp_path: Path, code: str) -> None:
    (tmp_path / BRIDGE).parent.mkdir(parents=True)
    (tmp_path / BRIDGE).write_text(code)
    assert crossings(tmp_path) == []
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "planted.py").write_text(code)
    assert len(crossings(tmp_path)) == 1


def test_a_planted_lock_is_found(tmp_path: Path) -> None:
    (tmp_path / "executions").mkdir()
    (tmp_path / "executions" / "planted.py").write_text("rows.select_for_update(skip_locked=True)\n")
    assert lockings(tmp_path) == ["executions/planted.py:1 uses skip_locked"]
