"""Helpers of the field rules: the error with its message, the account's choices, and checks that fields share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Invalid(ValueError):
    """The value cannot be sent. The message tells the person who entered it why."""


class LibraryFile(Protocol):
    """The parts of a file that the rules use. Its `str` is its display name."""

    @property
    def type(self) -> str: ...


def no_files(_: Sequence[str]) -> Mapping[str, LibraryFile]:
    return {}


@dataclass(frozen=True)
class AccountChoices:
    """Ids that the account can choose from. `files` returns the library's files among the given VideoGen ids."""

    voices: Collection[str] = ()
    presenters: Collection[str] = ()
    files: Callable[[Sequence[str]], Mapping[str, LibraryFile]] = no_files


def text(value: Any, max_length: int) -> str:
    """`value` as text, stripped, at most `max_length` characters. Raises Invalid."""
    if value is not None and not isinstance(value, str | int | float):
        raise Invalid("Enter text.")
    entered = "" if value is None else str(value).strip()
    if len(entered) > max_length:
        raise Invalid(f"Ensure this value has at most {max_length} characters (it has {len(entered)}).")
    if "\x00" in entered:
        raise Invalid("Null characters are not allowed.")
    return entered


def one_of(value: Any, choices: Collection[str]) -> str:
    """`value` if it is one of `choices`, or "" if it is empty. Raises Invalid."""
    entered = "" if value is None else str(value)
    if entered and entered not in choices:
        raise Invalid(f"Select a valid choice. {entered} is not one of the available choices.")
    return entered
