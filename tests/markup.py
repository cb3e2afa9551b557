"""Pages as a browser reads them: elements by CSS selector, their words, links, and what a form would send."""

from __future__ import annotations

from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

Page = LexborHTMLParser
Node = LexborNode


def parse(page: Any) -> Page:
    """A whole page or a fragment: text, or an answer of Django's or of an HTTP client's."""
    if not isinstance(page, str):
        page = page.content.decode()
    if "<html" in page:
        return LexborHTMLParser(page)
    # As htmx does: in a template a row of a table may stand by itself.
    return LexborHTMLParser(page, is_fragment=True, fragment_tag="template")


def every(page: Any, selector: str) -> list[Node]:
    """The elements that the selector finds, from the top. `page` is also an element, or what `parse` takes."""
    found = page if isinstance(page, Page | Node) else parse(page)
    return found.css(selector)


def one(page: Any, selector: str) -> Node:
    """The only such element; fails where there is none or another one."""
    found = every(page, selector)
    assert len(found) == 1, f"{len(found)} of {selector}"
    return found[0]


def words(page: Any, selector: str = "") -> str:
    """The text of a page, or of its only element of that kind, with single spaces and without tags."""
    if selector:
        page = one(page, selector)
    elif not isinstance(page, Page | Node):
        page = parse(page)
    return " ".join(page.text(separator=" ").split())


def content(node: Node) -> str:
    """The text of an element as it stands: line breaks, and nothing between the tags."""
    return node.text()


def attribute(node: Node, name: str) -> str:
    """The attribute's value; empty where it has none."""
    return node.attributes.get(name) or ""


def links(page: Any, selector: str = "a[href]", name: str = "href") -> list[str]:
    """Where these elements lead."""
    return [attribute(node, name) for node in every(page, selector)]


def link(page: Any, selector: str) -> str:
    """Where the first of these elements leads; empty where there is none."""
    return next(iter(links(page, selector)), "")


def values(page: Any, name: str, *, checked: bool | None = None) -> list[str]:
    """The values of all fields of this name, or of those alone that are checked, or that are not."""
    return [
        attribute(node, "value")
        for node in every(page, f'[name="{name}"]')
        if checked is None or ("checked" in node.attributes) == checked
    ]


def value(page: Any, name: str) -> str:
    """The value of the first field of this name; fails where there is none."""
    found = values(page, name)
    assert found, f"no field {name}"
    return found[0]
