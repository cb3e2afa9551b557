"""What the rules for a tool's fields need: the error that names what is wrong, and what the account offers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Invalid(ValueError):
    """The value cannot be sent; the message says why, to the person who entered it."""


class LibraryFile(Protocol):
    """What a rule has to know about a file. Its `str` is the name that people see."""

    @property
    def type(self) -> str: ...


def no_files(_: Sequence[str]) -> Mapping[str, LibraryFile]:
    return {}


@dataclass(frozen=True)
class Offers:
    """What the account has to choose from. `files` finds those of VideoGen's ids that the library has."""

    voices: Collection[str] = ()
    presenters: Collection[str] = ()
    files: Callable[[Sequence[str]], Mapping[str, Any]] = no_files


def text(value: Any, longest: int) -> str:
    """`value` without the space around it. Raises Invalid."""
    if value is not None and not isinstance(value, str | int | float):
        raise Invalid("Enter text.")
    found = "" if value is None else str(value).strip()
    if len(found) > longest:
        raise Invalid(f"Ensure this value has at most {longest} characters (it has {len(found)}).")
    if "\x00" in found:
        raise Invalid("Null characters are not allowed.")
    return found


def one_of(value: Any, offered: Collection[str]) -> str:
    """`value`, if it is offered; empty stays empty. Raises Invalid."""
    found = "" if value is None else str(value)
    if found and found not in offered:
        raise Invalid(f"Select a valid choice. {found} is not one of the available choices.")
    return found
