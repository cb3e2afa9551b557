"""The inputs that a tool or an endpoint takes: declared as data, read one by one, refused with 400 by name."""

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
    """One input. ``since`` and ``until`` name the first and last era that knows it (docs/api-notes.md#api-versions)."""

    name: str
    required: bool = False
    nullable: bool = False
    default: Any = None
    since: str | None = None
    until: str | None = None
    required_in: tuple[str, ...] = ()

    def read(self, value: Any) -> Any:
        """The value as the tool wants it; raises 400 that names the field."""
        return value

    def refuse(self, wanted: str) -> Exception:
        return invalid_parameters(f"{self.name} must be {wanted}")


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    shortest: int = 0

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.refuse("a text")
        if len(value) < self.shortest:
            raise self.refuse("a text of at least one character")
        return check_text(self.name, value)


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    values: tuple[str, ...]

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise self.refuse("one of " + ", ".join(self.values))
        return value


@dataclass(frozen=True, kw_only=True)
class Flag(Field):
    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self.refuse("true or false")
        return value


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    low: float
    high: float
    whole: bool = False

    def read(self, value: Any) -> float | int:
        if not is_number(value) or not self.low <= value <= self.high or (self.whole and value != int(value)):
            kind = "a whole number" if self.whole else "a number"
            raise self.refuse(f"{kind} from {self.low:g} to {self.high:g}")
        return int(value) if self.whole else value


@dataclass(frozen=True, kw_only=True)
class FileId(Field):
    """The id of a file of one type; whether there is such a file is checked by the route."""

    file_type: str | None

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.refuse("the id of a file")
        return value


@dataclass(frozen=True, kw_only=True)
class FileIds(Field):
    file_type: str | None
    most: int

    def read(self, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.refuse("a list of file ids")
        if len(value) > self.most:
            raise self.refuse(f"a list of at most {self.most} file ids")
        return value


@dataclass(frozen=True, kw_only=True)
class Texts(Field):
    def read(self, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.refuse("a list of texts")
        return [check_text(self.name, item) for item in value]


@dataclass(frozen=True, kw_only=True)
class Ratio(Field):
    """A proportion ``{width, height}``, not pixels."""

    def read(self, value: Any) -> Json:
        sides = {}
        for side in ("width", "height"):
            given = value.get(side) if isinstance(value, dict) else None
            if not is_number(given) or not 1 <= given <= 10_000_000 or given != int(given):
                raise self.refuse("an object with whole numbers width and height, both at least 1")
            sides[side] = int(given)
        if not 1 / 20 <= sides["width"] / sides["height"] <= 20:
            raise self.refuse("a proportion between 1:20 and 20:1")
        return sides


@dataclass(frozen=True, kw_only=True)
class Replacements(Field):
    """Pronunciations: a list of ``{original, replacement}``."""

    def read(self, value: Any) -> list[Json]:
        if not isinstance(value, list):
            raise self.refuse("a list of objects with original and replacement")
        pairs = []
        for item in value:
            given = item if isinstance(item, dict) else {}
            original, replacement = given.get("original"), given.get("replacement")
            if not isinstance(original, str) or not original or not isinstance(replacement, str):
                raise self.refuse("a list of objects with original and replacement")
            pairs.append({"original": original, "replacement": check_text(self.name, replacement)})
        return pairs


@dataclass(frozen=True, kw_only=True)
class TimedWords(Field):
    """A transcript of era 2: ``{languageCode?, words: [{startSeconds, endSeconds, word}]}``."""

    def read(self, value: Any) -> Json:
        given = value if isinstance(value, dict) else {}
        words, language = given.get("words"), given.get("languageCode")
        if not isinstance(words, list) or not words or not (language is None or isinstance(language, str)):
            raise self.refuse("an object with a list of words")
        return {"languageCode": language, "words": [self._word(item) for item in words]}

    def _word(self, item: Any) -> Json:
        given = item if isinstance(item, dict) else {}
        word, start, end = (given.get(name) for name in ("word", "startSeconds", "endSeconds"))
        if not isinstance(word, str) or not is_number(start) or not is_number(end) or not 0 <= start < end:
            raise self.refuse("a list of words, each with its start and a later end in seconds")
        return {"word": check_text(self.name, word), "startSeconds": start, "endSeconds": end}


@dataclass(frozen=True, kw_only=True)
class Object(Field):
    """An object whose known members are fields themselves; others are ignored (docs/api-notes.md#reading-responses)."""

    members: tuple[Field, ...] = ()

    def read(self, value: Any) -> Json:
        if not isinstance(value, dict):
            raise self.refuse("an object")
        for member in self.members:
            if member.required and member.name not in value:
                raise self.refuse(f"an object with {member.name}")
        return {
            member.name: member.read(value[member.name]) for member in self.members if member.name in value
        }


@dataclass(frozen=True, kw_only=True)
class Objects(Field):
    """A list of objects that are kept as they come; ``needs`` names a text that each must have."""

    needs: str | None = None

    def read(self, value: Any) -> list[Json]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.refuse("a list of objects")
        if self.needs is not None and not all(isinstance(item.get(self.needs), str) for item in value):
            raise self.refuse(f"a list of objects with {self.needs}")
        return value


def is_number(value: Any) -> TypeGuard[int | float]:
    """A JSON number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_text(name: str, value: str) -> str:
    """Refuse what cannot be written as UTF-8 (half of a surrogate pair)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid_parameters(f"{name} must be valid Unicode") from None
    return value


def check_url(value: Any) -> str:
    """The value of ``url``: an http or https address. The sandbox takes http and localhost as well (docs/api-notes.md#webhook-registration)."""
    if value is None:
        raise invalid_parameters("url is required")
    if not isinstance(value, str):
        raise invalid_parameters("url must be a text")
    try:
        parts = urlsplit(check_text("url", value))
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not value.isprintable() or " " in value:
        raise invalid_parameters("url must be an http or https address")
    return value


def read_fields(fields: Sequence[Field], body: Json, settings: Settings) -> Json:
    """All declared inputs of a body, with defaults for those left out; unknown ones are ignored (docs/api-notes.md#reading-responses)."""
    values: Json = {}
    for item in fields:
        if settings.strict_era and not _is_known(item, settings):
            if item.name in body:
                raise invalid_parameters(f"{item.name} is not a parameter of era {settings.era}")
            values.setdefault(item.name, item.default)  # makers know nothing of eras
            continue
        required = item.required or settings.era in item.required_in
        if item.name not in body or (body[item.name] is None and (item.nullable or required)):
            if required:
                raise invalid_parameters(f"{item.name} is required")
            values[item.name] = item.default
        else:
            values[item.name] = item.read(body[item.name])
    return values


def _is_known(item: Field, settings: Settings) -> bool:
    since = item.since is None or settings.knows(item.since)
    return since and (item.until is None or settings.still_knows(item.until))
