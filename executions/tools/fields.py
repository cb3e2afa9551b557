"""The kinds of input that a tool can ask for: what each one accepts, and how it goes into the request body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from executions.tools import api_versions


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

    def show(self, value: Any) -> str:
        return f"{value} {self.unit}".strip()


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    """One of a few. What the API does by itself is not sent, unless an era demands a word (`always_sent`)."""

    kind: ClassVar[str] = "choice"
    options: tuple[tuple[str, str], ...]
    initial: str
    always_sent: bool = False

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


@dataclass(frozen=True, kw_only=True)
class Replacements(Field):
    """Words that are spoken otherwise than they are written, as pairs."""

    kind: ClassVar[str] = "replacements"
    most: int = 100

    def from_body(self, body: Mapping[str, Any]) -> Any:
        pairs = body.get(self.name)
        if not isinstance(pairs, list):
            return None
        return [(pair.get("original", ""), pair.get("replacement", "")) for pair in pairs]

    def show(self, value: Any) -> str:
        return "\n".join(f"{pair.get('original')} = {pair.get('replacement')}" for pair in value)


@dataclass(frozen=True, kw_only=True)
class Files(Field):
    """Media to work from, as ids of VideoGen's; `most` is 1 where the API takes a single id and not a list."""

    kind: ClassVar[str] = "files"
    # The types that fit (IMAGE, VIDEO, AUDIO); none: any.
    media: tuple[str, ...] = ()
    most: int = 1
    is_list: bool = False

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


@dataclass(frozen=True, kw_only=True)
class Ids(Field):
    """Ids of things that the API has no catalogue for, one a line."""

    kind: ClassVar[str] = "ids"
    is_list: bool = True

    def to_body(self, value: Any) -> dict[str, Any]:
        if not value:
            return {}
        return {self.name: value if self.is_list else value[0]}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        value = body.get(self.name)
        return "\n".join(value) if isinstance(value, list) else value

    def show(self, value: Any) -> str:
        return ", ".join(value) if isinstance(value, list) else str(value)
