"""Finds permission checks outside the policy, writes by the dashboard, and bodies that nothing validated."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from executions.policy import VISIBILITY, Action
from tests.house.source_tree import called_name, forbidden_imports, modules, parse

POLICY = "executions/policy.py"
# Modules that may know how a role is stored.
MAY_READ_ROLES = {
    POLICY,
    "executions/team/members.py",
    "executions/models/team.py",
    # Django's admin site lists columns by name.
    "dashboard/admin.py",
}
SHELL = "templates/base.html"
ROLE = "is_staff"
# Functions that may call already_validated() on a body: it was validated when it was stored.
MAY_SKIP_VALIDATION = {
    "executions/lifecycle/create.py": {"rerun"},
    "executions/batches/rows.py": {"Row", "rerun_rows"},
}
AUDIT_RECORD = "executions.audit.record"
# Signing in and out is Django's. All other acts are recorded where they happen, in the domain.
MAY_RECORD = {"dashboard/people/sign_in_views.py"}
# Methods of Django's managers, querysets and models that write.
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
    """Every place that reads the column in which a role is stored, as `file:line`."""
    found = [
        f"{module}:{line}"
        for module in modules(root, "executions", "dashboard")
        if module.as_posix() not in MAY_READ_ROLES and "migrations" not in module.parts
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


def dashboard_writes(root: Path) -> list[str]:
    """Every call in the dashboard that writes a row or opens a cursor, as `module:line call()`."""
    return [
        f"{module}:{node.lineno} {called_name(node)}()"
        for module in modules(root, "dashboard")
        for node in ast.walk(parse(root, module))
        if isinstance(node, ast.Call) and (_is_write(node) or called_name(node) == "cursor")
    ]


def _is_write(node: ast.Call) -> bool:
    if called_name(node) not in WRITES or not isinstance(node.func, ast.Attribute):
        return False
    # `values.update({...})` and `cache.delete(key)` write no row: they take a positional argument, writes of rows do not.
    return not node.args or isinstance(node.func.value, ast.Attribute | ast.Call)


def dashboard_records(root: Path) -> list[str]:
    """Every import of the audit log's `record` by a module of the dashboard that may not write audit entries."""
    found = forbidden_imports(root, "dashboard", AUDIT_RECORD)
    return [each for each in found if each.partition(":")[0] not in MAY_RECORD]


def unrestricted_loads(root: Path) -> list[str]:
    """Every object that a view loads without `visible_to`, though the policy says who may see it, as `module:line`."""
    restricted = {model.__name__ for model in VISIBILITY}
    return [
        f"{module}:{node.lineno}"
        for module in modules(root, "dashboard")
        for node in ast.walk(parse(root, module))
        if isinstance(node, ast.Call) and called_name(node).endswith("get_object_or_404")
        if not restricted.isdisjoint(_names(node.args[0])) and "visible_to" not in _names(node.args[0])
    ]


def _names(expression: ast.expr) -> set[str]:
    return {_last_name(node) for node in ast.walk(expression) if isinstance(node, ast.Attribute | ast.Name)}


def acting_modules(root: Path) -> list[str]:
    """The modules of the domain with a function that takes an actor, other than the policy."""
    return [
        module.as_posix()
        for module in modules(root, "executions")
        if module.as_posix() != POLICY and any(_takes_actor(node) for node in ast.walk(parse(root, module)))
    ]


def unchecked(root: Path, module: str) -> list[str]:
    """The public functions of a module that take an actor, but pass it neither to the policy nor to another function."""
    return [
        f"{module}: {node.name}"
        for node in ast.walk(parse(root, Path(module)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and _takes_actor(node)
        and not any(_passes_actor(each) for each in ast.walk(node))
    ]


def _takes_actor(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    arguments = node.args
    return "actor" in {each.arg for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}


def _passes_actor(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    values = [*node.args, *(each.value for each in node.keywords)]
    return any(isinstance(value, ast.Name) and value.id == "actor" for value in values)


def unused_actions(root: Path) -> set[str]:
    """The names of the policy's actions that no other module refers to."""
    return {action.name for action in Action} - referenced_actions(root)


def referenced_actions(root: Path) -> set[str]:
    """The names of the actions that modules other than the policy refer to."""
    return {
        node.attr
        for module in modules(root, "executions", "dashboard")
        if module.as_posix() != POLICY
        for node in ast.walk(parse(root, module))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Action"
    }


def validation_skips(root: Path) -> list[str]:
    """Every place that passes a body as validated without validating it, as `module:line`."""
    return [
        f"{module}:{node.lineno}"
        for module in modules(root, "executions", "dashboard")
        for function in parse(root, module).body
        if getattr(function, "name", "") not in MAY_SKIP_VALIDATION.get(module.as_posix(), ())
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute | ast.Name) and _last_name(node) == "already_validated"
    ]


def _last_name(node: ast.Attribute | ast.Name) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id
