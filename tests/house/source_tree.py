"""Reads the source tree: its modules, and what each of them imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("executions", "dashboard", "sandbox")


def modules(root: Path, *packages: str) -> list[Path]:
    """The Python files of these folders, relative to `root`."""
    return sorted(path.relative_to(root) for package in packages for path in (root / package).rglob("*.py"))


def parse(root: Path, module: Path) -> ast.Module:
    return _parse((root / module).read_text(encoding="utf-8"))


@cache
def _parse(source: str) -> ast.Module:
    return ast.parse(source)


def imports(root: Path, module: Path) -> Iterator[tuple[int, str]]:
    """Every import of the module, at its top or inside a function, as (line, dotted name)."""
    package = module.parent.parts
    for node in ast.walk(parse(root, module)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            for name in node.names:
                # `from executions import models` imports executions.models.
                yield node.lineno, f"{origin}.{name.name}"
        elif isinstance(node, ast.Call) and called_name(node) in ("import_module", "__import__"):
            yield from ((node.lineno, name.value) for name in node.args[:1] if isinstance(name, ast.Constant))


def called_name(node: ast.Call) -> str:
    """The last part of the name of the called function: `update` of `rows.filter().update()`."""
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def is_in(name: str, *places: str) -> bool:
    """Whether a dotted name is one of `places`, or inside one of them."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def forbidden_imports(root: Path, folder: str, *places: str) -> list[str]:
    """The imports of a folder's modules from any of `places`, as `module:line imports name`."""
    return [
        f"{module}:{line} imports {name}"
        for module in modules(root, folder)
        for line, name in imports(root, module)
        if is_in(name, *places)
    ]
