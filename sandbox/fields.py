"""Input fields of tools and endpoints, declared as data. Invalid values raise a 400 that names the field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from sandbox.errors import invalid_parameters
from sandbox.settings import Settings

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input. ``since`` and ``until``: first and last API version that has it (docs/api-notes.md#api-versions)."""

    name: str
    required: bool = False
    nullable: bool = False
    default: Any = None
    since: str | None = None
    until: str | None = None
    required_in: tuple[str, ...] = ()

    def read(self, value: Any) -> Any:
        """Validate and convert a value; raise a 400 that names the field."""
        return value

    def error(self, expected: str) -> Exception:
        return invalid_parameters(f"{self.name} must be {expected}")


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    min_length: int = 0

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.error("a string")
        if len(value) < self.min_length:
            raise self.error("a string of at least one character")
        return check_text(self.name, value)


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    values: tuple[str, ...]

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise self.error("one of " + ", ".join(self.values))
        return value


@dataclass(frozen=True, kw_only=True)
class Flag(Field):
    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self.error("true or false")
        return value


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    minimum: float
    maximum: float
    integer: bool = False

    def read(self, value: Any) -> float | int:
        if (
            not is_number(value)
            or not self.minimum <= value <= self.maximum
            or (self.integer and value != int(value))
        ):
            kind = "an integer" if self.integer else "a number"
            raise self.error(f"{kind} from {self.minimum:g} to {self.maximum:g}")
        return int(value) if self.integer else value


@dataclass(frozen=True, kw_only=True)
class FileId(Field):
    """The id of a file of one type. The route checks that the file exists."""

    file_type: str | None

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.error("the id of a file")
        return value


@dataclass(frozen=True, kw_only=True)
class FileIds(Field):
    file_type: str | None
    max_items: int

    def read(self, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error("a list of file ids")
        if len(value) > self.max_items:
            raise self.error(f"a list of at most {self.max_items} file ids")
        return value


@dataclass(frozen=True, kw_only=True)
class Texts(Field):
    def read(self, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error("a list of strings")
        return [check_text(self.name, item) for item in value]


@dataclass(frozen=True, kw_only=True)
class Ratio(Field):
    """An aspect ratio ``{width, height}``, not pixels."""

    def read(self, value: Any) -> Json:
        sides = {}
        for side in ("width", "height"):
            number = value.get(side) if isinstance(value, dict) else None
            if not is_number(number) or not 1 <= number <= 10_000_000 or number != int(number):
                raise self.error("an object with integers width and height of at least 1")
            sides[side] = int(number)
        if not 1 / 20 <= sides["width"] / sides["height"] <= 20:
            raise self.error("a ratio between 1:20 and 20:1")
        return sides


@dataclass(frozen=True, kw_only=True)
class Replacements(Field):
    """Pronunciations: a list of ``{original, replacement}``."""

    def read(self, value: Any) -> list[Json]:
        if not isinstance(value, list):
            raise self.error("a list of objects with original and replacement")
        pairs = []
        for item in value:
            data = item if isinstance(item, dict) else {}
            original, replacement = data.get("original"), data.get("replacement")
            if not isinstance(original, str) or not original or not isinstance(replacement, str):
                raise self.error("a list of objects with original and replacement")
            pairs.append({"original": original, "replacement": check_text(self.name, replacement)})
        return pairs


@dataclass(frozen=True, kw_only=True)
class TimedWords(Field):
    """A transcript of API version 2: ``{languageCode?, words: [{startSeconds, endSeconds, word}]}``."""

    def read(self, value: Any) -> Json:
        data = value if isinstance(value, dict) else {}
        words, language = data.get("words"), data.get("languageCode")
        if not isinstance(words, list) or not words or not (language is None or isinstance(language, str)):
            raise self.error("an object with a list of words")
        return {"languageCode": language, "words": [self._word(item) for item in words]}

    def _word(self, item: Any) -> Json:
        data = item if isinstance(item, dict) else {}
        word, start, end = (data.get(name) for name in ("word", "startSeconds", "endSeconds"))
        if not isinstance(word, str) or not is_number(start) or not is_number(end) or not 0 <= start < end:
            raise self.error("a list of words with startSeconds and a later endSeconds")
        return {"word": check_text(self.name, word), "startSeconds": start, "endSeconds": end}


@dataclass(frozen=True, kw_only=True)
class Object(Field):
    """An object with ``members`` as fields; others are ignored (docs/api-notes.md#reading-responses)."""

    members: tuple[Field, ...] = ()

    def read(self, value: Any) -> Json:
        if not isinstance(value, dict):
            raise self.error("an object")
        for member in self.members:
            if member.required and member.name not in value:
                raise self.error(f"an object with {member.name}")
        return {
            member.name: member.read(value[member.name]) for member in self.members if member.name in value
        }


@dataclass(frozen=True, kw_only=True)
class Objects(Field):
    """A list of objects, stored unchanged. ``required_key`` names a string that each must have."""

    required_key: str | None = None

    def read(self, value: Any) -> list[Json]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error("a list of objects")
        if self.required_key is not None and not all(
            isinstance(item.get(self.required_key), str) for item in value
        ):
            raise self.error(f"a list of objects with {self.required_key}")
        return value


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether the value is a JSON number. Booleans are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_text(name: str, value: str) -> str:
    """Return the value; raise a 400 if it cannot be encoded as UTF-8 (half of a surrogate pair)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid_parameters(f"{name} must be valid Unicode") from None
    return value


def check_url(value: Any) -> str:
    """Validate ``url``: http or https. Unlike the API, http and localhost are allowed (docs/api-notes.md#webhook-registration)."""
    if value is None:
        raise invalid_parameters("url is required")
    if not isinstance(value, str):
        raise invalid_parameters("url must be a string")
    try:
        parts = urlsplit(check_text("url", value))
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not value.isprintable() or " " in value:
        raise invalid_parameters("url must be an http or https address")
    return value


def read_fields(fields: Sequence[Field], body: Json, settings: Settings) -> Json:
    """The declared inputs of a body, with defaults. Unknown ones are ignored (docs/api-notes.md#reading-responses)."""
    values: Json = {}
    for item in fields:
        if settings.strict and not _is_known(item, settings):
            if item.name in body:
                raise invalid_parameters(
                    f"{item.name} is not a parameter of API version {settings.api_version}"
                )
            values.setdefault(item.name, item.default)  # makers do not depend on the API version
            continue
        required = item.required or settings.api_version in item.required_in
        if item.name not in body or (body[item.name] is None and (item.nullable or required)):
            if required:
                raise invalid_parameters(f"{item.name} is required")
            values[item.name] = item.default
        else:
            values[item.name] = item.read(body[item.name])
    return values


def _is_known(item: Field, settings: Settings) -> bool:
    since = item.since is None or settings.at_least(item.since)
    return since and (item.until is None or settings.at_most(item.until))
