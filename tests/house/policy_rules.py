"""Finds permission checks outside the policy, and rows that the dashboard writes by itself, by reading the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.plan import called, modules, parsed

# Those that know how a role is stored.
KNOWS_ROLES = {
    "executions/policy.py",
    "executions/team/members.py",
    "executions/models/team.py",
    # Django's admin site names its columns.
    "dashboard/admin.py",
}
SHELL = "templates/base.html"
ROLE = "is_staff"
# Writes of Django's managers, querysets and rows.
WRITES = {
    "save",
    "create",
    "update",
    "delete",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
}
WRITES |= {f"a{name}" for name in WRITES}


def role_checks(root: Path) -> list[str]:
    """Every place that asks for a role by the column it is stored in, as `file:line`."""
    found = [
        f"{module}:{line}"
        for module in modules(root, "executions", "dashboard")
        if module.as_posix() not in KNOWS_ROLES and "migrations" not in module.parts
        for line in _lines_with(root / module)
    ]
    templates = sorted((root / "templates").rglob("*.html"))
    names = [path.relative_to(root) for path in templates]
    return found + [
        f"{name}:{line}" for name in names if name.as_posix() != SHELL for line in _lines_with(root / name)
    ]


def _lines_with(path: Path) -> Iterator[int]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if ROLE in line:
            yield number


def writes_of_dashboard(root: Path) -> list[str]:
    """Every call in the dashboard that writes a row or holds a cursor, as `module:line what`."""
    return [
        f"{module}:{node.lineno} {called(node)}()"
        for module in modules(root, "dashboard")
        for node in ast.walk(parsed(root, module))
        if isinstance(node, ast.Call) and (_is_write(node) or called(node) == "cursor")
    ]


def _is_write(node: ast.Call) -> bool:
    if called(node) not in WRITES or not isinstance(node.func, ast.Attribute):
        return False
    # `values.update({...})` and `cache.delete(key)` change no row: those calls take a value, rows take keywords or none.
    return not node.args or isinstance(node.func.value, ast.Attribute | ast.Call)


def unasked(root: Path, module: str) -> list[str]:
    """The public functions of a module that take an actor and neither ask the policy nor hand the actor on."""
    found = []
    for node in parsed(root, Path(module)).body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        names = {each.arg for each in [*node.args.args, *node.args.kwonlyargs]}
        if "actor" in names and not any(_uses(each) for each in ast.walk(node)):
            found.append(f"{module}: {node.name}")
    return found


def _uses(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    values = [*node.args, *(each.value for each in node.keywords)]
    return any(isinstance(value, ast.Name) and value.id == "actor" for value in values)


def actions_used(root: Path) -> set[str]:
    """The names of actions that some module beside the policy asks for."""
    return {
        node.attr
        for module in modules(root, "executions", "dashboard")
        if module.as_posix() != "executions/policy.py"
        for node in ast.walk(parsed(root, module))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Action"
    }
