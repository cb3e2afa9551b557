"""Finds queries that the dashboard builds itself, instead of calling a named one of `executions`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.source_tree import called_name, imports, is_in, modules, parse

# Modules that may build queries.
MAY_BUILD_QUERIES = {
    # Django's admin site is configured with fields and querysets.
    "dashboard/admin.py",
}
DJANGO_QUERIES = "django.db.models"
# For annotations. Everything else that Django has there builds queries.
TYPES = {f"{DJANGO_QUERIES}.QuerySet", f"{DJANGO_QUERIES}.Model"}
# Methods of querysets that state conditions or compute columns. A page may choose related rows, order and number.
BUILDERS = {
    "filter",
    "exclude",
    "complex_filter",
    "annotate",
    "alias",
    "aggregate",
    "aaggregate",
    "values_list",
    "extra",
}
# Methods that dictionaries, sets and others have too.
COMMON_BUILDERS = {"values", "union", "intersection", "difference", "raw"}
# `register.filter` declares a template filter.
TEMPLATE_LIBRARY = "register"


def dashboard_queries(root: Path) -> list[str]:
    """Every query that the dashboard builds, and every import for building one, as `module:line name`."""
    return [
        f"{module}:{line} {name}"
        for module in modules(root, "dashboard")
        if module.as_posix() not in MAY_BUILD_QUERIES
        for line, name in (*_imports(root, module), *_calls(root, module))
    ]


def _imports(root: Path, module: Path) -> Iterator[tuple[int, str]]:
    for line, name in imports(root, module):
        if is_in(name, DJANGO_QUERIES) and name not in TYPES:
            yield line, name


def _calls(root: Path, module: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(parse(root, module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _builds(node, node.func):
            yield node.func.end_lineno or node.lineno, f"{node.func.attr}()"


def _builds(call: ast.Call, method: ast.Attribute) -> bool:
    if isinstance(method.value, ast.Name) and method.value.id == TEMPLATE_LIBRARY:
        return False
    if method.attr == "filter" and not call.args and [each.arg for each in call.keywords] == ["pk"]:
        return False  # one row by its id, as `get`, but without an exception
    return called_name(call) in BUILDERS or (called_name(call) in COMMON_BUILDERS and _is_of_rows(call))


def _is_of_rows(call: ast.Call) -> bool:
    """Whether the call has a manager in it, or names columns."""
    has_manager = any(isinstance(node, ast.Attribute) and node.attr == "objects" for node in ast.walk(call))
    values = [*call.args, *(each.value for each in call.keywords)]
    names_columns = bool(values) and all(
        isinstance(each, ast.Constant) and isinstance(each.value, str) for each in values
    )
    return has_manager or names_columns
