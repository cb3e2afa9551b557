"""Parsed pages: elements by CSS selector, their text and links, and the values of forms."""

from __future__ import annotations

from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

Page = LexborHTMLParser
Node = LexborNode


def parse(page: Any) -> Page:
    """Parse a page or a fragment: a string, or a response of Django or httpx."""
    if not isinstance(page, str):
        page = page.content.decode()
    if "<html" in page:
        return LexborHTMLParser(page)
    # As htmx does: in a <template> a table row needs no table.
    return LexborHTMLParser(page, is_fragment=True, fragment_tag="template")


def every(page: Any, selector: str) -> list[Node]:
    """The matching elements in document order. `page` is an element, or anything that `parse` accepts."""
    found = page if isinstance(page, Page | Node) else parse(page)
    return found.css(selector)


def one(page: Any, selector: str) -> Node:
    """The only matching element. Fails if there is not exactly one."""
    found = every(page, selector)
    assert len(found) == 1, f"{len(found)} elements match {selector}"
    return found[0]


def plain_text(page: Any, selector: str = "") -> str:
    """The text of a page, or of its only matching element, without tags and with single spaces."""
    if selector:
        page = one(page, selector)
    elif not isinstance(page, Page | Node):
        page = parse(page)
    return " ".join(page.text(separator=" ").split())


def content(node: Node) -> str:
    """The text of an element with its line breaks, and nothing added between tags."""
    return node.text()


def attribute(node: Node, name: str) -> str:
    """The value of the attribute; empty if it has none."""
    return node.attributes.get(name) or ""


def links(page: Any, selector: str = "a[href]", name: str = "href") -> list[str]:
    """The URLs of these elements."""
    return [attribute(node, name) for node in every(page, selector)]


def link(page: Any, selector: str) -> str:
    """The URL of the first of these elements; empty if there is none."""
    return next(iter(links(page, selector)), "")


def values(page: Any, name: str, *, checked: bool | None = None) -> list[str]:
    """The values of all fields with this name, or only of those that are (not) checked."""
    return [
        attribute(node, "value")
        for node in every(page, f'[name="{name}"]')
        if checked is None or ("checked" in node.attributes) == checked
    ]


def value(page: Any, name: str) -> str:
    """The value of the first field with this name. Fails if there is none."""
    found = values(page, name)
    assert found, f"no field {name}"
    return found[0]
