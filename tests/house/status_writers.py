"""Finds code outside executions/lifecycle/ that writes a job's status, as far as the syntax tree shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.source_tree import called_name, modules, parse

# The only package that may (docs/architecture.md).
LIFECYCLE = Path("executions/lifecycle")
COLUMN = "status"
KEYWORD_WRITES = {"update", "create", "get_or_create", "update_or_create", "Execution"}
LIST_WRITES = {"bulk_update", "save"}
# Models with a status that is not the status of a job: an external job is only observed.
OTHER_MODELS = {"ExternalJob"}


def status_writers(root: Path) -> list[str]:
    """Every place in the domain and the dashboard that writes a job's status, as `module:line description`."""
    return [
        f"{module}:{line} {what}"
        for module in modules(root, "executions", "dashboard")
        if LIFECYCLE not in module.parents and "migrations" not in module.parts
        for line, what in sorted(_writes(parse(root, module), "models" in module.parts))
    ]


def _writes(tree: ast.Module, is_model: bool) -> Iterator[tuple[int, str]]:
    spread = {name for node in ast.walk(tree) for name in _spread_into_a_write(node)}
    for node in ast.walk(tree):
        for target in _assigned(node):
            # Outside the models `self` is not a job: errors of the client have a status as well.
            is_column = isinstance(target, ast.Attribute) and target.attr == COLUMN
            if is_column and (is_model or ast.unparse(target) != f"self.{COLUMN}"):
                yield target.lineno, f"sets {ast.unparse(target)}"
            if (
                isinstance(target, ast.Subscript)
                and _is_column(target.slice)
                and _name(target.value) in spread
            ):
                yield target.lineno, f"sets {ast.unparse(target)}, which is written"
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            names = {_name(target) for target in _assigned(node)}
            if names & spread and _mentions(node.value):
                yield (
                    node.lineno,
                    f"puts the status into {', '.join(sorted(names & spread))}, which is written",
                )
        if isinstance(node, ast.Call):
            yield from ((node.lineno, what) for what in _called_with_status(node))


def _assigned(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets):
            flat = [each.elts if isinstance(each, ast.Tuple | ast.List) else [each] for each in targets]
            return [target for targets in flat for target in targets]
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return [target]
    return []


def _called_with_status(node: ast.Call) -> Iterator[str]:
    name = called_name(node).removeprefix("a")
    if _root(node) in OTHER_MODELS:
        return
    if name in KEYWORD_WRITES:
        # A keyword argument, an unpacked dictionary, or `defaults=`.
        for keyword in node.keywords:
            if keyword.arg == COLUMN or (keyword.arg in (None, "defaults") and _mentions(keyword.value)):
                yield f"calls {name}() with the status"
    if name in LIST_WRITES and any(
        _lists(value) for value in [*node.args, *(each.value for each in node.keywords)]
    ):
        yield f"calls {name}() with the status"
    if name == "setattr" and len(node.args) > 1 and _is_column(node.args[1]):
        yield "calls setattr() with the status"


def _spread_into_a_write(node: ast.AST) -> Iterator[str]:
    """Names of dictionaries that a call such as update(**columns) writes to the row."""
    if isinstance(node, ast.Call) and called_name(node).removeprefix("a") in KEYWORD_WRITES:
        for keyword in node.keywords:
            if keyword.arg in (None, "defaults"):
                yield from (each.id for each in ast.walk(keyword.value) if isinstance(each, ast.Name))


def _mentions(value: ast.expr) -> bool:
    """Whether an expression builds a dictionary with the status as a key."""
    for each in ast.walk(value):
        if isinstance(each, ast.Dict) and any(key is not None and _is_column(key) for key in each.keys):
            return True
        if (
            isinstance(each, ast.Call)
            and called_name(each) == "dict"
            and COLUMN in {k.arg for k in each.keywords}
        ):
            return True
    return False


def _lists(value: ast.expr) -> bool:
    return isinstance(value, ast.List | ast.Tuple | ast.Set) and any(_is_column(each) for each in value.elts)


def _is_column(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value == COLUMN


def _name(value: ast.expr) -> str:
    return value.id if isinstance(value, ast.Name) else ""


def _root(value: ast.expr) -> str:
    """The first name of a chain: `ExternalJob` of `ExternalJob.objects.filter(...).update(...)`."""
    while isinstance(value, ast.Call | ast.Attribute):
        value = value.func if isinstance(value, ast.Call) else value.value
    return _name(value)
