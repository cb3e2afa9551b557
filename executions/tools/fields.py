"""The kinds of input that a tool can ask for: what each one accepts, and how it goes into the request body."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from executions.tools import api_versions, rules
from executions.tools.rules import Invalid, Offers

TYPE_WORDS = {"IMAGE": "an image", "VIDEO": "a video", "AUDIO": "a recording"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input. `name` is the field's name in the API and in the form."""

    kind: ClassVar[str] = ""
    name: str
    label: str
    help: str = ""
    required: bool = False
    # Rarely needed inputs wait under "More options".
    advanced: bool = False
    # The first and the last era of the API that has it, and those that demand it ("" is open).
    since: str = ""
    until: str = ""
    required_in: tuple[str, ...] = ()
    # The object of the request body that it lies in, where it does not lie in the body itself.
    inside: str = ""

    def is_in(self, api_version: str) -> bool:
        return api_versions.within(api_version, self.since, self.until)

    def check(self, value: Any, offers: Offers) -> Any:
        """The value as `to_body` takes it. Raises Invalid, with what is wrong as a message for people."""
        cleaned = self.clean(value, offers)
        if self.required and cleaned in (None, "", []):
            raise Invalid(self.missing)
        return cleaned

    def clean(self, value: Any, offers: Offers) -> Any:
        """What `check` does for a value that may be empty. Raises Invalid."""
        raise NotImplementedError

    @property
    def missing(self) -> str:
        return f"{self.label}: please fill this in."

    def to_body(self, value: Any) -> dict[str, Any]:
        """The part of the request body for a cleaned `value`; what was left empty is left out."""
        return {} if value in (None, "", [], {}) else {self.name: value}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        """The form's value for a request body that was sent before; the inverse of `to_body`."""
        return body.get(self.name)

    def show(self, value: Any) -> str:
        """A value of the request body in words, for the job's page."""
        return str(value)


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    """Words. `max_length` is ours (the API names none), in characters."""

    kind: ClassVar[str] = "text"
    max_length: int = 20_000
    multiline: bool = True
    placeholder: str = ""
    rows: int = 4

    def clean(self, value: Any, offers: Offers) -> str:
        return rules.text(value, self.max_length)


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    kind: ClassVar[str] = "number"
    low: float
    high: float
    step: float = 1
    initial: float | None = None
    unit: str = ""

    @property
    def whole(self) -> bool:
        return float(self.step).is_integer()

    def clean(self, value: Any, offers: Offers) -> int | float | None:
        entered = "" if value is None else str(value).strip()
        if not entered:
            return None
        problem = "Enter a whole number." if self.whole else "Enter a number."
        try:
            number = int(re.sub(r"\.0*$", "", entered)) if self.whole else float(entered)
        except ValueError:
            raise Invalid(problem) from None
        if not math.isfinite(number):
            raise Invalid(problem)
        if number < self.low:
            raise Invalid(f"Ensure this value is greater than or equal to {self.low}.")
        if number > self.high:
            raise Invalid(f"Ensure this value is less than or equal to {self.high}.")
        return number

    def show(self, value: Any) -> str:
        return f"{value} {self.unit}".strip()


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    """One of a few. What the API does by itself is not sent, unless an era demands a word (`always_sent`)."""

    kind: ClassVar[str] = "choice"
    options: tuple[tuple[str, str], ...]
    initial: str
    always_sent: bool = False

    def clean(self, value: Any, offers: Offers) -> str:
        return rules.one_of(value, [value for value, _ in self.options])

    def to_body(self, value: Any) -> dict[str, Any]:
        return {} if value == self.initial and not self.always_sent else super().to_body(value)

    def show(self, value: Any) -> str:
        return dict(self.options).get(value, str(value))


@dataclass(frozen=True, kw_only=True)
class Shape(Field):
    """The proportion of a picture, as "16:9" in the form and as {width, height} in the API."""

    kind: ClassVar[str] = "shape"
    options: tuple[str, ...] = ("16:9", "1:1", "9:16", "4:3")
    initial: str = "16:9"

    def clean(self, value: Any, offers: Offers) -> str:
        return rules.one_of(value, self.options)

    def to_body(self, value: Any) -> dict[str, Any]:
        if not value:
            return {}
        width, height = str(value).split(":")
        return {self.name: {"width": int(width), "height": int(height)}}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        proportion = body.get(self.name)
        return self.show(proportion) if isinstance(proportion, Mapping) else None

    def show(self, value: Any) -> str:
        return f"{value.get('width')}:{value.get('height')}" if isinstance(value, Mapping) else str(value)


@dataclass(frozen=True, kw_only=True)
class Switch(Field):
    """Yes or no; `initial` is what the API does by itself, and is not sent."""

    kind: ClassVar[str] = "switch"
    initial: bool = False

    def clean(self, value: Any, offers: Offers) -> bool:
        if value is None:
            return self.initial
        return value.strip().lower() not in ("", "false", "0") if isinstance(value, str) else bool(value)

    def to_body(self, value: Any) -> dict[str, Any]:
        return {} if bool(value) == self.initial else {self.name: bool(value)}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        return body.get(self.name, self.initial)

    def show(self, value: Any) -> str:
        return "yes" if value else "no"


@dataclass(frozen=True, kw_only=True)
class Voice(Field):
    """One of the account's voices that work in a tool; the list comes from the API."""

    kind: ClassVar[str] = "voice"

    def clean(self, value: Any, offers: Offers) -> str:
        return rules.one_of(value, offers.voices)


@dataclass(frozen=True, kw_only=True)
class Replacements(Field):
    """Words that are spoken otherwise than they are written, as pairs."""

    kind: ClassVar[str] = "replacements"
    most: int = 100
    longest: int = 200

    def clean(self, value: Any, offers: Offers) -> list[dict[str, str]]:
        """Rows with nothing in them count for nothing."""
        rows = [(number, *pair) for number, pair in enumerate(_pairs(value), 1) if any(pair)]
        if len(rows) > self.most:
            raise Invalid(f"At most {self.most} rows, please; there are {len(rows)}.")
        for number, written, spoken in rows:
            if not written:
                raise Invalid(f"Row {number}: what is written for “{spoken[:40]}”?")
            if not spoken:
                raise Invalid(f"Row {number}: how is “{written[:40]}” spoken?")
            if max(len(written), len(spoken)) > self.longest:
                raise Invalid(f"Row {number} is too long: at most {self.longest} characters a side.")
            if "\x00" in written + spoken:
                raise Invalid(f"Row {number} holds a character that cannot be sent.")
        return [{"original": written, "replacement": spoken} for _, written, spoken in rows]

    def from_body(self, body: Mapping[str, Any]) -> Any:
        pairs = body.get(self.name)
        if not isinstance(pairs, list):
            return None
        return [(pair.get("original", ""), pair.get("replacement", "")) for pair in pairs]

    def show(self, value: Any) -> str:
        return "\n".join(f"{pair.get('original')} = {pair.get('replacement')}" for pair in value)


def _pairs(value: Any) -> Iterable[tuple[str, str]]:
    """(written, spoken), from the API's objects, from pairs, or from text with one `written = spoken` per line."""
    if isinstance(value, str):
        value = [line.partition("=")[::2] for line in value.splitlines()]
    for each in value or []:
        match each:
            case {"original": str(written), "replacement": str(spoken)}:
                yield written.strip(), spoken.strip()
            case [str(written), str(spoken)]:
                yield written.strip(), spoken.strip()
            case _:
                raise Invalid("Each row has two parts: what is written, and how it is spoken.")


@dataclass(frozen=True, kw_only=True)
class Files(Field):
    """Media to work from, as ids of VideoGen's; `most` is 1 where the API takes a single id and not a list."""

    kind: ClassVar[str] = "files"
    # The types that fit (IMAGE, VIDEO, AUDIO); none: any.
    media: tuple[str, ...] = ()
    most: int = 1
    is_list: bool = False

    @property
    def missing(self) -> str:
        wanted = TYPE_WORDS.get(self.media[0], "a file") if self.media else "a file"
        return f"{self.label}: please choose {wanted}."

    def clean(self, value: Any, offers: Offers) -> list[str]:
        given = [value] if isinstance(value, str) else value or []
        ids = list(dict.fromkeys(str(each) for each in given if each))
        if len(ids) > self.most:
            limit = "One file, please." if self.most == 1 else f"At most {self.most} files, please."
            raise Invalid(f"{limit} You chose {len(ids)}.")
        known = offers.files([each for each in ids if "\x00" not in each]) if ids else {}
        for each in ids:
            self._check_type(known.get(each))
        return ids

    def _check_type(self, file: Any) -> None:
        if file is None:
            raise Invalid("A file that was chosen is not in the library any more. Choose another.")
        if self.media and file.type and file.type not in self.media:
            wanted = " or ".join(TYPE_WORDS.get(media, media.lower()) for media in self.media)
            raise Invalid(f"“{file}” is {TYPE_WORDS.get(file.type, file.type.lower())}; this needs {wanted}.")

    def to_body(self, value: Any) -> dict[str, Any]:
        if not value:
            return {}
        return {self.name: list(value) if self.is_list else value[0]}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        return self.ids(body) or None

    def ids(self, body: Mapping[str, Any]) -> list[str]:
        """The files that a request body names in this field."""
        value = body.get(self.name)
        return [str(each) for each in (value if isinstance(value, list) else [value])] if value else []

    def show(self, value: Any) -> str:
        return ", ".join(value) if isinstance(value, list) else str(value)


@dataclass(frozen=True, kw_only=True)
class Presenter(Field):
    """A face that speaks; the catalogue comes from the API (until era 1.1)."""

    kind: ClassVar[str] = "presenter"

    def clean(self, value: Any, offers: Offers) -> str:
        return rules.one_of(value, offers.presenters)


@dataclass(frozen=True, kw_only=True)
class Ids(Field):
    """Ids of things that the API has no catalogue for, one a line."""

    kind: ClassVar[str] = "ids"
    is_list: bool = True
    longest: int = 128

    def clean(self, value: Any, offers: Offers) -> list[str]:
        entered = "\n".join(map(str, value)) if isinstance(value, list) else value
        ids = list(dict.fromkeys(rules.text(entered, 10_000).split()))
        most = 100 if self.is_list else 1
        if len(ids) > most:
            raise Invalid("One id, please." if most == 1 else f"At most {most} ids, please.")
        for each in ids:
            if len(each) > self.longest or not each.isascii():
                raise Invalid(f"“{each[:40]}” is not an id of VideoGen’s.")
        return ids

    def to_body(self, value: Any) -> dict[str, Any]:
        if not value:
            return {}
        return {self.name: value if self.is_list else value[0]}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        value = body.get(self.name)
        return "\n".join(value) if isinstance(value, list) else value

    def show(self, value: Any) -> str:
        return ", ".join(value) if isinstance(value, list) else str(value)
