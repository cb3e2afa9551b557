"""The top-level packages import each other only as docs/architecture.md allows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.source_tree import PACKAGES, ROOT, forbidden_imports, imports, is_in, modules

RULES = {
    # folder: packages that its modules must not import
    "executions": ("dashboard", "sandbox"),
    "executions/videogen": ("django", "channels", "asgiref", "dashboard", "sandbox"),
    "dashboard": ("sandbox",),
    "sandbox": ("executions", "dashboard", "django"),
    "benchmarks": ("sandbox",),
    "soak": ("dashboard", "sandbox"),
}
CLIENT = "executions.videogen"


@pytest.mark.parametrize("folder", RULES)
def test_no_package_imports_what_it_must_not(folder: str) -> None:
    assert forbidden_imports(ROOT, folder, *RULES[folder]) == []


def foreign_imports(root: Path) -> list[str]:
    """What the API client imports from the rest of the domain, as `module:line imports name`."""
    return [
        f"{module}:{line} imports {name}"
        for module in modules(root, CLIENT.replace(".", "/"))
        for line, name in imports(root, module)
        if is_in(name, "executions") and not is_in(name, CLIENT)
    ]


def test_the_client_imports_nothing_else_of_the_domain() -> None:
    assert foreign_imports(ROOT) == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from executions import models", "executions.models"),
        ("from .. import statuses", "executions.statuses"),
        ("def f():\n    import executions.core.ids", "executions.core.ids"),
        ("from executions.videogen import errors\nfrom . import wire", None),
        ("from executions.videogen.errors import ApiError", None),
        ("import httpx", None),
    ],
)
def test_a_planted_import_of_the_domain_is_found(tmp_path: Path, code: str, name: str | None) -> None:
    client = tmp_path / "executions" / "videogen"
    client.mkdir(parents=True)
    (client / "planted.py").write_text(code)

    found = [each.rpartition(" ")[2] for each in foreign_imports(tmp_path)]
    assert found == ([name] if name else [])


def test_the_dashboard_imports_the_domain_and_every_package_is_read() -> None:
    """An empty folder would pass every other test here."""
    for package in PACKAGES:
        assert len(modules(ROOT, package)) > 20
    used = {name for module in modules(ROOT, "dashboard") for _, name in imports(ROOT, module)}
    assert any(name.startswith("executions.") for name in used)


@pytest.mark.parametrize(
    "code",
    [
        "import dashboard",
        "import os, dashboard.live.publisher as live",
        "from dashboard import live",
        "from dashboard.live.publisher import render",
        "def f():\n    from dashboard import live",
        "if True:\n    import dashboard.settings",
        "import importlib\nimportlib.import_module('dashboard.live.publisher')",
        "__import__('dashboard')",
        "from ..dashboard import live",
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, code: str) -> None:
    ast.parse(code)
    (tmp_path / "executions").mkdir()
    (tmp_path / "executions" / "planted.py").write_text(code)

    assert len(forbidden_imports(tmp_path, "executions", "dashboard")) == 1


@pytest.mark.parametrize(
    "code", ["import dashboards", "from executions import dashboard_words", "from . import models"]
)
def test_similar_names_may_be_imported(tmp_path: Path, code: str) -> None:
    (tmp_path / "executions").mkdir()
    (tmp_path / "executions" / "planted.py").write_text(code)

    assert forbidden_imports(tmp_path, "executions", "dashboard") == []
