"""Styles: each component has its own file, and its name is the prefix of its classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.selectors import classes, matched_and_around, selectors
from tests.house.source_tree import ROOT

MAX_LINE = 160
KEYFRAMES = re.compile(r"@keyframes\s+([\w-]+)")
# Components may use the classes that base.css and layout.css define.
GENERAL = ("base", "layout")
# Small components that others contain.
PARTS = ("button", "field", "notice", "status-badge", "toast")
# A class is styled in one file. Only these may be adjusted by another component that contains them, and there the
# selector must begin at a class of the adjusting component.
ADJUSTABLE = {
    *("actions", "avatar", "brand", "facts", "icon", "number", "spread", "stack", "thumbnail"),
    *(
        "button",
        "button-icon",
        "button-quiet",
        "field",
        "field-help",
        "field-problem",
        "status-badge",
        "toast",
    ),
}
# Classes of htmx and of the icons.
THIRD_PARTY = ("htmx-request", "lucide-loader-circle")
TEXT_IN_QUOTES = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`")
PATH = re.compile(r"/[a-z][\w-]*(?:/|$)")


def begins_with(name: str, component: str) -> bool:
    return name == component or name.startswith(f"{component}-")


def owner(name: str, components: list[str]) -> str | None:
    """The component with the longest name that is a prefix of the class."""
    owners = [component for component in components if begins_with(name, component)]
    return max(owners, key=len, default=None)


class Styles:
    """The stylesheets below a folder, and the file that each class belongs to."""

    def __init__(self, root: Path) -> None:
        folder = root / "static" / "css"
        files = [
            *(folder / f"{name}.css" for name in GENERAL),
            *sorted((folder / "components").glob("*.css")),
        ]
        self.texts = {path.stem: path.read_text(encoding="utf-8") for path in files}
        self.components = [name for name in self.texts if name not in GENERAL]
        self.general: dict[str, str] = {}
        for file in GENERAL:
            for selector in selectors(self.texts[file]):
                for name in matched_and_around(selector)[0]:
                    self.general.setdefault(name, file)

    def owner(self, name: str) -> str | None:
        return owner(name, self.components) or self.general.get(name)

    def wrong_classes(self) -> Iterator[str]:
        """Classes in the file of a component that belong to another component, or to no file."""
        for file, text in self.texts.items():
            for name in sorted(classes(text).difference(THIRD_PARTY)):
                its_owner = self.owner(name)
                usable = GENERAL if file in GENERAL else (file, *GENERAL, *PARTS)
                if its_owner not in usable:
                    yield f"{file}.css: .{name} belongs to {its_owner or 'no component'}"

    def restyled_classes(self) -> Iterator[str]:
        """Selectors that match a class of another file, unless a component adjusts what it contains."""
        for file, text in self.texts.items():
            for selector in selectors(text):
                matched, around = matched_and_around(selector)
                is_inside = any(self.owner(name) == file for name in around)
                for name in matched:
                    is_foreign = name not in THIRD_PARTY and self.owner(name) != file
                    if is_foreign and not (name in ADJUSTABLE and is_inside):
                        yield f"{file}.css: {selector} styles .{name} of {self.owner(name)}"


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
    assert list(Styles(ROOT).wrong_classes()) == []


def test_each_class_is_styled_in_one_file() -> None:
    assert list(Styles(ROOT).restyled_classes()) == []


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
    (tmp_path / "static/css/layout.css").write_text("main .panel { gap: 0; .icon { gap: 0; } }\n")
    (tmp_path / "static/css/components/card.css").write_text(".card .card-title .icon { margin: 0.5em; }\n")
    (tmp_path / "static/css/components/card-list.css").write_text(".card-list-head { gap: 0; }\n")
    (tmp_path / "templates/page.html").write_text(f"<p>{'x' * (MAX_LINE - 7)}</p>\n")
    (tmp_path / "static/js/lib/live.js").write_text(
        "import './x.js'\nfetch(form.action, { as: 'text/html' })\n"
    )
    return tmp_path


def test_a_correct_tree_has_no_offences(tree: Path) -> None:
    styles = Styles(tree)
    assert list(styles.wrong_classes()) == list(styles.restyled_classes()) == []
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

    assert list(Styles(tree).wrong_classes()) == [expected]


def test_a_class_of_a_component_in_the_layout_is_found(tree: Path) -> None:
    (tree / "static/css/layout.css").write_text("main:has(.card-title) { gap: 0; }")

    assert list(Styles(tree).wrong_classes()) == ["layout.css: .card-title belongs to card"]


@pytest.mark.parametrize(
    ("file", "rule", "expected"),
    [
        ("layout", ".icon { gap: 0; }", "layout.css: .icon styles .icon of base"),
        ("layout", ".page, .card { gap: 0; }", "layout.css: .card styles .card of card"),
        ("components/card", ".icon { gap: 0; }", "card.css: .icon styles .icon of base"),
        (
            "components/card",
            "main > .icon.big { gap: 0; }",
            "card.css: main > .icon.big styles .icon of base",
        ),
        (
            "components/card",
            ".icon:has(.card) { gap: 0; }",
            "card.css: .icon:has(.card) styles .icon of base",
        ),
        (
            "components/card",
            ".card { &:hover .panel { gap: 0; } }",
            "card.css: .card:hover .panel styles .panel of layout",
        ),
        (
            "components/card-list",
            "@media print { .card-list { > .card { gap: 0; } } }",
            "card-list.css: .card-list > .card styles .card of card",
        ),
    ],
)
def test_a_class_that_is_styled_in_another_file_is_found(
    tree: Path, file: str, rule: str, expected: str
) -> None:
    with (tree / f"static/css/{file}.css").open("a") as stylesheet:
        stylesheet.write(rule)

    assert expected in list(Styles(tree).restyled_classes())


def test_a_class_in_a_comment_or_a_value_is_ignored(tree: Path) -> None:
    text = "/* as .other */\n.card { margin: .5em; content: '.other'; }\n"
    (tree / "static/css/components/card.css").write_text(text)

    assert list(Styles(tree).wrong_classes()) == []


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
