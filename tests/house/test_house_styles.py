"""Styles: each component has its own file, and its name is the prefix of its classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT

MAX_LINE = 160
NOT_RULES = re.compile(r"/\*.*?\*/|\"[^\"]*\"|'[^']*'", re.DOTALL)
CLASS = re.compile(r"\.([a-z][\w-]*)", re.IGNORECASE)
KEYFRAMES = re.compile(r"@keyframes\s+([\w-]+)")
# Components may use the classes that base.css and layout.css define.
GENERAL = ("base", "layout")
# Small components that others contain and may position.
PARTS = ("button", "field", "notice", "status-badge", "toast")
# Classes of htmx and of the icons.
THIRD_PARTY = ("htmx-request", "lucide-loader-circle")
TEXT_IN_QUOTES = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`")
PATH = re.compile(r"/[a-z][\w-]*(?:/|$)")


def classes(text: str) -> set[str]:
    return set(CLASS.findall(NOT_RULES.sub("", text)))


def begins_with(name: str, component: str) -> bool:
    return name == component or name.startswith(f"{component}-")


def owner(name: str, components: list[str]) -> str | None:
    """The component with the longest name that is a prefix of the class."""
    owners = [component for component in components if begins_with(name, component)]
    return max(owners, key=len, default=None)


def wrong_classes(root: Path) -> Iterator[str]:
    """Classes in the file of a component that belong to another component, or to none."""
    styles = root / "static" / "css"
    files = sorted((styles / "components").glob("*.css"))
    components = [path.stem for path in files]
    general = set(THIRD_PARTY).union(
        *(
            classes(path.read_text(encoding="utf-8"))
            for name in GENERAL
            if (path := styles / f"{name}.css").exists()
        )
    )
    for path in files:
        for name in sorted(classes(path.read_text(encoding="utf-8")) - general):
            its_owner = owner(name, components)
            if its_owner != path.stem and its_owner not in PARTS:
                yield f"{path.name}: .{name} belongs to {its_owner or 'no component'}"


def repeated_keyframes(root: Path) -> list[str]:
    seen: dict[str, str] = {}
    found = []
    for path in sorted((root / "static" / "css").rglob("*.css")):
        for name in KEYFRAMES.findall(path.read_text(encoding="utf-8")):
            if name in seen:
                found.append(f"{path.name}: @keyframes {name} is also in {seen[name]}")
            seen[name] = path.name
    return found


def long_lines(root: Path) -> list[str]:
    files = [*(root / "templates").rglob("*.html"), *(root / "static" / "css").rglob("*.css")]
    return [
        f"{path.relative_to(root)}:{number} has {len(line)} characters"
        for path in sorted(files)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MAX_LINE
    ]


def paths_in_scripts(root: Path) -> list[str]:
    """URLs in scripts, which should get them from an attribute of the page."""
    return [
        f"{path.relative_to(root)}: {quoted}"
        for path in sorted((root / "static" / "js").rglob("*.js"))
        for quoted in TEXT_IN_QUOTES.findall(path.read_text(encoding="utf-8"))
        if PATH.match(quoted[1:-1])
    ]


def test_each_class_is_in_the_file_of_its_component() -> None:
    assert list(wrong_classes(ROOT)) == []


def test_no_animation_is_defined_twice() -> None:
    assert repeated_keyframes(ROOT) == []


def test_no_line_of_a_template_or_style_is_too_long() -> None:
    assert long_lines(ROOT) == []


def test_no_script_contains_a_url() -> None:
    assert paths_in_scripts(ROOT) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree without offences: two components, a general class, a template and a script."""
    for folder in ("static/css/components", "static/js/lib", "templates"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "static/css/base.css").write_text(
        ".icon { flex: none; }\n@keyframes arrive { from { opacity: 0; } }\n"
    )
    (tmp_path / "static/css/components/card.css").write_text(".card .card-title .icon { margin: 0.5em; }\n")
    (tmp_path / "static/css/components/card-list.css").write_text(".card-list-head { gap: 0; }\n")
    (tmp_path / "templates/page.html").write_text(f"<p>{'x' * (MAX_LINE - 7)}</p>\n")
    (tmp_path / "static/js/lib/live.js").write_text(
        "import './x.js'\nfetch(form.action, { as: 'text/html' })\n"
    )
    return tmp_path


def test_a_correct_tree_has_no_offences(tree: Path) -> None:
    assert list(wrong_classes(tree)) == []
    assert repeated_keyframes(tree) == long_lines(tree) == paths_in_scripts(tree) == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (".title { gap: 0; }", "card.css: .title belongs to no component"),
        (".card:has(.card-list-head) { gap: 0; }", "card.css: .card-list-head belongs to card-list"),
        ("@media print { .cards { gap: 0; } }", "card.css: .cards belongs to no component"),
    ],
)
def test_a_class_in_the_wrong_file_is_found(tree: Path, rule: str, expected: str) -> None:
    (tree / "static/css/components/card.css").write_text(rule)

    assert list(wrong_classes(tree)) == [expected]


def test_a_class_in_a_comment_or_a_value_is_ignored(tree: Path) -> None:
    text = "/* as .other */\n.card { margin: .5em; content: '.other'; }\n"
    (tree / "static/css/components/card.css").write_text(text)

    assert list(wrong_classes(tree)) == []


def test_a_repeated_animation_is_found(tree: Path) -> None:
    (tree / "static/css/components/card.css").write_text("@keyframes arrive { to { opacity: 1; } }")

    assert repeated_keyframes(tree) == [
        "card.css: @keyframes arrive is also in base.css"
    ] or repeated_keyframes(tree) == ["base.css: @keyframes arrive is also in card.css"]


@pytest.mark.parametrize("name", ["templates/page.html", "static/css/components/card.css"])
def test_a_long_line_is_found(tree: Path, name: str) -> None:
    (tree / name).write_text("\n" + "x" * (MAX_LINE + 1))

    assert long_lines(tree) == [f"{name}:2 has {MAX_LINE + 1} characters"]


@pytest.mark.parametrize(
    "code", ["fetch('/since/seen/')", 'go("/queue/")', "open(`/files/${id}/`)", "x = '/batches'"]
)
def test_a_url_in_a_script_is_found(tree: Path, code: str) -> None:
    (tree / "static/js/lib/live.js").write_text(code)

    assert len(paths_in_scripts(tree)) == 1
