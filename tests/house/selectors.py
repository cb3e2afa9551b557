"""Reads the selectors of a stylesheet, as far as the rules on classes need them."""

from __future__ import annotations

import re
from collections.abc import Iterator

NOT_RULES = re.compile(r"/\*.*?\*/|\"[^\"]*\"|'[^']*'", re.DOTALL)
CLASS = re.compile(r"\.([a-z][\w-]*)", re.IGNORECASE)
BLOCK = re.compile(r"([^{};]*)([{};])")
# At-rules, and the steps of an animation: what is in their block belongs to the rule around them.
TRANSPARENT = re.compile(r"@|from$|to$|\d+%$")
COMBINATORS = " \n>+~"
CONDITION = re.compile(r":(?:has|not)\(")


def classes(text: str) -> set[str]:
    return set(CLASS.findall(NOT_RULES.sub("", text)))


def selectors(text: str) -> Iterator[str]:
    """Every selector of a stylesheet, with the selectors around nested rules written out."""
    outer: list[list[str]] = [[""]]
    for prelude, mark in BLOCK.findall(NOT_RULES.sub("", text)):
        if mark == "}":
            outer.pop()
        elif mark == "{":
            given = prelude.strip()
            if not TRANSPARENT.match(given):
                inner = [_nested(each, around) for around in outer[-1] for each in split(given, ",")]
                yield from inner
                outer.append(inner)
            else:
                outer.append(outer[-1])


def _nested(selector: str, around: str) -> str:
    return selector.replace("&", around) if "&" in selector else f"{around} {selector}".strip()


def split(text: str, separators: str) -> list[str]:
    """Split at separators outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character in separators and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def matched_and_around(selector: str) -> tuple[list[str], list[str]]:
    """The classes of the elements that a selector matches, and of the elements that these are in or beside.

    Classes in conditions, `:has()` and `:not()`, are in neither.
    """
    *around, matched = (CLASS.findall(_without_conditions(each)) for each in split(selector, COMBINATORS))
    return matched, [name for each in around for name in each]


def _without_conditions(selector: str) -> str:
    while found := CONDITION.search(selector):
        depth, end = 1, found.end()
        while depth:
            depth += (selector[end] == "(") - (selector[end] == ")")
            end += 1
        selector = selector[: found.start()] + selector[end:]
    return selector
