"""A module has one subject, so none has more than 400 lines."""

from __future__ import annotations

from pathlib import Path

from tests.house.source_tree import ROOT, modules

MAX_LINES = 400
FOLDERS = ("executions", "dashboard", "sandbox", "benchmarks", "soak", "tests", "static/js")


def too_long(root: Path) -> list[str]:
    scripts = sorted(path.relative_to(root) for path in (root / "static" / "js").rglob("*.js"))
    counted = {
        module: len((root / module).read_text(encoding="utf-8").splitlines())
        for module in [*modules(root, *FOLDERS), *scripts]
        if "migrations" not in module.parts
    }
    assert counted, "no modules were found"
    return [f"{module} has {lines} lines" for module, lines in counted.items() if lines > MAX_LINES]


def test_no_module_is_too_long() -> None:
    assert too_long(ROOT) == []


def test_a_long_module_is_found(tmp_path: Path) -> None:
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "short.py").write_text("x = 1\n" * MAX_LINES)
    (tmp_path / "dashboard" / "long.py").write_text("x = 1\n" * (MAX_LINES + 1))

    assert too_long(tmp_path) == [f"dashboard/long.py has {MAX_LINES + 1} lines"]
