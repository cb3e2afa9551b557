"""The kinds of input that tools have: which values each accepts, and its place in the request body."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from executions.tools import api_versions, rules
from executions.tools.rules import AccountChoices, Invalid

MEDIA_NOUNS = {"IMAGE": "an image", "VIDEO": "a video", "AUDIO": "a recording"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input. `name` is the field's name in the API and in the form."""

    kind: ClassVar[str] = ""
    name: str
    label: str
    help: str = ""
    required: bool = False
    # Rarely needed inputs are under "More options".
    advanced: bool = False
    # The first and the last API version that have it ("" means unbounded), and those that require it.
    since: str = ""
    until: str = ""
    required_in: tuple[str, ...] = ()
    # The object of the request body that contains it; "" for the body itself.
    inside: str = ""

    def is_in(self, api_version: str) -> bool:
        return api_versions.within(api_version, self.since, self.until)

    def check(self, value: Any, choices: AccountChoices) -> Any:
        """The value in the form that `to_body` accepts. Raises Invalid with a message for the user."""
        cleaned = self.clean(value, choices)
        if self.required and cleaned in (None, "", []):
            raise Invalid(self.required_message)
        return cleaned

    def clean(self, value: Any, choices: AccountChoices) -> Any:
        """Like `check`, for a value that may be empty. Raises Invalid."""
        raise NotImplementedError

    @property
    def required_message(self) -> str:
        return f"{self.label}: please fill this in."

    def to_body(self, value: Any) -> dict[str, Any]:
        """The part of the request body for a cleaned `value`; empty values are omitted."""
        return {} if value in (None, "", [], {}) else {self.name: value}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        """The form's value for a request body; the inverse of `to_body`."""
        return body.get(self.name)

    def show(self, value: Any) -> str:
        """A value of the request body as text, for the job's page."""
        return str(value)


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    """Text. `max_length` is in characters and is our own limit; the API documents none."""

    kind: ClassVar[str] = "text"
    max_length: int = 20_000
    multiline: bool = True
    placeholder: str = ""
    rows: int = 4

    def clean(self, value: Any, choices: AccountChoices) -> str:
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
    def is_integer(self) -> bool:
        return float(self.step).is_integer()

    def clean(self, value: Any, choices: AccountChoices) -> int | float | None:
        entered = "" if value is None else str(value).strip()
        if not entered:
            return None
        problem = "Enter a whole number." if self.is_integer else "Enter a number."
        try:
            number = int(re.sub(r"\.0*$", "", entered)) if self.is_integer else float(entered)
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
    """One of a few options. The API's default is not sent, unless a version requires a value (`always_sent`)."""

    kind: ClassVar[str] = "choice"
    options: tuple[tuple[str, str], ...]
    initial: str
    always_sent: bool = False

    def clean(self, value: Any, choices: AccountChoices) -> str:
        return rules.one_of(value, [value for value, _ in self.options])

    def to_body(self, value: Any) -> dict[str, Any]:
        return {} if value == self.initial and not self.always_sent else super().to_body(value)

    def show(self, value: Any) -> str:
        return dict(self.options).get(value, str(value))


@dataclass(frozen=True, kw_only=True)
class Shape(Field):
    """An aspect ratio: "16:9" in the form, {width, height} in the API."""

    kind: ClassVar[str] = "shape"
    options: tuple[str, ...] = ("16:9", "1:1", "9:16", "4:3")
    initial: str = "16:9"

    def clean(self, value: Any, choices: AccountChoices) -> str:
        return rules.one_of(value, self.options)

    def to_body(self, value: Any) -> dict[str, Any]:
        if not value:
            return {}
        width, height = str(value).split(":")
        return {self.name: {"width": int(width), "height": int(height)}}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        ratio = body.get(self.name)
        return self.show(ratio) if isinstance(ratio, Mapping) else None

    def show(self, value: Any) -> str:
        return f"{value.get('width')}:{value.get('height')}" if isinstance(value, Mapping) else str(value)


@dataclass(frozen=True, kw_only=True)
class Switch(Field):
    """Yes or no. `initial` is the API's default, and is not sent."""

    kind: ClassVar[str] = "switch"
    initial: bool = False

    def clean(self, value: Any, choices: AccountChoices) -> bool:
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
class VoicePicker(Field):
    """One of the account's voices; the list comes from the API."""

    kind: ClassVar[str] = "voice"

    def clean(self, value: Any, choices: AccountChoices) -> str:
        return rules.one_of(value, choices.voices)


@dataclass(frozen=True, kw_only=True)
class Replacements(Field):
    """Pronunciations, as pairs of the written and the spoken word. `max_length` is per side, in characters."""

    kind: ClassVar[str] = "replacements"
    max_rows: int = 100
    max_length: int = 200

    def clean(self, value: Any, choices: AccountChoices) -> list[dict[str, str]]:
        """Empty rows are ignored."""
        rows = [(number, *pair) for number, pair in enumerate(_pairs(value), 1) if any(pair)]
        if len(rows) > self.max_rows:
            raise Invalid(f"Enter at most {self.max_rows} rows (there are {len(rows)}).")
        for number, written, spoken in rows:
            if not written:
                raise Invalid(f"Row {number}: enter the written word for “{spoken[:40]}”.")
            if not spoken:
                raise Invalid(f"Row {number}: enter the pronunciation of “{written[:40]}”.")
            if max(len(written), len(spoken)) > self.max_length:
                raise Invalid(f"Row {number} is too long: at most {self.max_length} characters per side.")
            if "\x00" in written + spoken:
                raise Invalid(f"Row {number} contains a character that cannot be sent.")
        return [{"original": written, "replacement": spoken} for _, written, spoken in rows]

    def from_body(self, body: Mapping[str, Any]) -> Any:
        pairs = body.get(self.name)
        if not isinstance(pairs, list):
            return None
        return [(pair.get("original", ""), pair.get("replacement", "")) for pair in pairs]

    def show(self, value: Any) -> str:
        return "\n".join(f"{pair.get('original')} = {pair.get('replacement')}" for pair in value)


def _pairs(value: Any) -> Iterable[tuple[str, str]]:
    """Pairs (written, spoken), from the API's objects, from pairs, or from text lines `written = spoken`.

    Raises Invalid for anything else.
    """
    if isinstance(value, str):
        value = [line.partition("=")[::2] for line in value.splitlines()]
    for each in value or []:
        match each:
            case {"original": str(written), "replacement": str(spoken)}:
                yield written.strip(), spoken.strip()
            case [str(written), str(spoken)]:
                yield written.strip(), spoken.strip()
            case _:
                raise Invalid("Each row needs two parts: the written word and its pronunciation.")


@dataclass(frozen=True, kw_only=True)
class Files(Field):
    """Input files, by VideoGen id. `is_list` is False where the API accepts a single id, not a list."""

    kind: ClassVar[str] = "files"
    # The accepted types (IMAGE, VIDEO, AUDIO); empty accepts any.
    media: tuple[str, ...] = ()
    max_files: int = 1
    is_list: bool = False

    @property
    def accepts_several(self) -> bool:
        return self.max_files > 1

    @property
    def needs_exactly_one(self) -> bool:
        return self.required and not self.accepts_several

    @property
    def required_message(self) -> str:
        wanted = MEDIA_NOUNS.get(self.media[0], "a file") if self.media else "a file"
        return f"{self.label}: please choose {wanted}."

    def clean(self, value: Any, choices: AccountChoices) -> list[str]:
        given = [value] if isinstance(value, str) else value or []
        ids = list(dict.fromkeys(str(each) for each in given if each))
        if len(ids) > self.max_files:
            limit = f"at most {self.max_files} files" if self.accepts_several else "one file"
            raise Invalid(f"Choose {limit} (you chose {len(ids)}).")
        known = choices.files([each for each in ids if "\x00" not in each]) if ids else {}
        for each in ids:
            self._check_type(known.get(each))
        return ids

    def _check_type(self, file: Any) -> None:
        if file is None:
            raise Invalid("A chosen file is no longer in the library. Choose another.")
        if self.media and file.type and file.type not in self.media:
            wanted = " or ".join(MEDIA_NOUNS.get(media, media.lower()) for media in self.media)
            raise Invalid(f"“{file}” is {MEDIA_NOUNS.get(file.type, file.type.lower())}; choose {wanted}.")

    def to_body(self, value: Any) -> dict[str, Any]:
        if not value:
            return {}
        return {self.name: list(value) if self.is_list else value[0]}

    def from_body(self, body: Mapping[str, Any]) -> Any:
        return self.ids(body) or None

    def ids(self, body: Mapping[str, Any]) -> list[str]:
        """The file ids in this field of a request body."""
        value = body.get(self.name)
        return [str(each) for each in (value if isinstance(value, list) else [value])] if value else []

    def show(self, value: Any) -> str:
        return ", ".join(value) if isinstance(value, list) else str(value)


@dataclass(frozen=True, kw_only=True)
class PresenterPicker(Field):
    """A presenter who speaks; the list comes from the API (until API version 1.1)."""

    kind: ClassVar[str] = "presenter"

    def clean(self, value: Any, choices: AccountChoices) -> str:
        return rules.one_of(value, choices.presenters)


@dataclass(frozen=True, kw_only=True)
class Ids(Field):
    """Ids of objects that the API cannot list, one per line. `max_length` is that of one id, in characters."""

    kind: ClassVar[str] = "ids"
    is_list: bool = True
    max_length: int = 128

    def clean(self, value: Any, choices: AccountChoices) -> list[str]:
        entered = "\n".join(map(str, value)) if isinstance(value, list) else value
        ids = list(dict.fromkeys(rules.text(entered, 10_000).split()))
        max_ids = 100 if self.is_list else 1
        if len(ids) > max_ids:
            raise Invalid("Enter one id." if max_ids == 1 else f"Enter at most {max_ids} ids.")
        for each in ids:
            if len(each) > self.max_length or not each.isascii():
                raise Invalid(f"“{each[:40]}” is not a VideoGen id.")
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
