"""A module has one subject: none has more than 400 lines."""

from __future__ import annotations

from pathlib import Path

from tests.house.plan import ROOT, modules

MOST_LINES = 400
FOLDERS = ("executions", "dashboard", "sandbox", "benchmarks", "soak", "tests", "static/js")


def too_long(root: Path) -> list[str]:
    scripts = sorted(path.relative_to(root) for path in (root / "static" / "js").rglob("*.js"))
    counted = {
        module: len((root / module).read_text(encoding="utf-8").splitlines())
        for module in [*modules(root, *FOLDERS), *scripts]
        if "migrations" not in module.parts
    }
    assert counted, "there is nothing here to be counted"
    return [f"{module} has {lines} lines" for module, lines in counted.items() if lines > MOST_LINES]


def test_no_module_is_longer_than_it_can_be_read_at_once() -> None:
    assert too_long(ROOT) == []


def test_a_long_module_is_found(tmp_path: Path) -> None:
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "short.py").write_text("x = 1\n" * MOST_LINES)
    (tmp_path / "dashboard" / "long.py").write_text("x = 1\n" * (MOST_LINES + 1))

    assert too_long(tmp_path) == [f"dashboard/long.py has {MOST_LINES + 1} lines"]
