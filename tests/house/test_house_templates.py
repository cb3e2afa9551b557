"""Templates contain no inline scripts or styles, which the content security policy would block, and no arithmetic."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soak.load import REFUSAL
from tests.house.source_tree import ROOT
from tests.markup import every

COMMENTS = re.compile(r"\{#.*?#\}|\{% comment.*?endcomment %\}|<!--.*?-->", re.DOTALL)
OFFENCES = {
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)[^>]*>", re.IGNORECASE),
    "an inline style": re.compile(r"<style[\s>]", re.IGNORECASE),
    "a style attribute": re.compile(r"""<[^>]*\sstyle\s*=""", re.IGNORECASE | re.DOTALL),
    "an event handler": re.compile(r"""<[^>]*\son[a-z]+\s*=\s*["'{]""", re.IGNORECASE | re.DOTALL),
    "a javascript: URL": re.compile(r"""=\s*["']\s*javascript:""", re.IGNORECASE),
    "htmx code": re.compile(r"""\shx-on[:\w-]*\s*=|=\s*["']js:""", re.IGNORECASE),
}

CONDITION = re.compile(r"\{%\s*(?:el)?if\s(.*?)%\}", re.DOTALL)
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
# Only the comparison with one is allowed, which chooses between singular and plural.
COMPARISON = re.compile(r"[<>]|!=\s*\d|==\s*(?!1\b)\d")


def offences(root: Path) -> list[str]:
    pages = [path for path in sorted((root / "templates").rglob("*")) if path.is_file()]
    assert pages, "no templates were found"
    return [
        f"{path.relative_to(root)}: {name}"
        for path in pages
        for name, pattern in OFFENCES.items()
        if pattern.search(COMMENTS.sub("", path.read_text(encoding="utf-8")))
    ]


def comparisons(root: Path) -> list[str]:
    """Conditions that compare numbers, where a view or a card should offer a boolean."""
    return [
        f"{path.relative_to(root)}: {condition.strip()}"
        for path in sorted((root / "templates").rglob("*.html"))
        for condition in CONDITION.findall(COMMENTS.sub("", path.read_text(encoding="utf-8")))
        if COMPARISON.search(QUOTED.sub("", condition))
    ]


def test_no_template_compares_numbers() -> None:
    assert comparisons(ROOT) == []


@pytest.mark.parametrize(
    "condition",
    [
        "file.similarity > 0.7",
        "name|length >= 110",
        "first.width < first.height",
        "limit.remaining == 0",
        "card.place != 1",
        "count == 12",
        'kind == "a" and count > max',
    ],
)
def test_a_planted_comparison_is_found(tmp_path: Path, condition: str) -> None:
    (tmp_path / "templates").mkdir()
    page = f"{{% if other %}}<p>{{% elif {condition} %}}</p>{{% endif %}}"
    (tmp_path / "templates" / "page.html").write_text(page)

    assert comparisons(tmp_path) == [f"templates/page.html: {condition}"]


@pytest.mark.parametrize("condition", ["count == 1", "card.is_paused", 'label == "> 9"', "page.jobs"])
def test_conditions_that_only_choose_a_text_are_accepted(tmp_path: Path, condition: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(f"{{% if {condition} %}}<b> 2 > 1</b>{{% endif %}}")

    assert comparisons(tmp_path) == []


def test_no_template_has_an_inline_script_or_style() -> None:
    assert offences(ROOT) == []


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>",
        '<script type="module">x()</script>',
        "<style>p { color: red }</style>",
        '<p class="x" style="color: red">',
        '<div\n  style="width: 5%">',
        '<button onclick="go()">',
        '<img src="x" onerror="go()">',
        '<a href="javascript:go()">',
        '<p hx-on:click="go()">',
        "<p hx-vals='js:{x: 1}'>",
    ],
)
def test_a_planted_offence_is_found(tmp_path: Path, markup: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(markup)

    assert len(offences(tmp_path)) == 1


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="{% static \'js/lib/live.js\' %}" type="module"></script>',
        '<progress value="5" max="100" data-style="x">',
        "{# <style> is not allowed #}<p>",
        '<p data-on="x">A style=no attribute</p>',
        '<link rel="stylesheet" href="x.css">',
    ],
)
def test_markup_that_the_policy_allows_is_accepted(tmp_path: Path, markup: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(markup)

    assert offences(tmp_path) == []


def test_the_soak_recognises_the_refusal_that_the_form_shows() -> None:
    """Otherwise it would take a refusal for an error of Rushes and post the form again."""
    form = (ROOT / "templates" / "studio" / "_tool_form.html").read_text(encoding="utf-8")
    assert every(form, REFUSAL)
