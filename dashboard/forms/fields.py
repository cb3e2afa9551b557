"""Django form fields for the kinds of input in the catalogue: what is typed, checked and said when it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from executions.models import File
from executions.tools import fields as spec

TYPE_WORDS = {"IMAGE": "an image", "VIDEO": "a video", "AUDIO": "a recording"}


class PairsInput(forms.Widget):
    """Rows of two inputs, `<name>-written` and `<name>-spoken`; or text, one `written = spoken` a line."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        if hasattr(data, "getlist") and f"{name}-written" in data:
            rows: Iterable[Sequence[str]] = zip_longest(
                data.getlist(f"{name}-written"), data.getlist(f"{name}-spoken"), fillvalue=""
            )
        else:
            lines = str(data.get(name) or "").splitlines()
            rows = (line.partition("=")[::2] for line in lines)
        return [(written.strip(), spoken.strip()) for written, spoken in rows]


class ReplacementsField(forms.Field):
    """What is written, and how it is spoken; cleaned to the API's list of pairs. Empty rows count for nothing."""

    widget = PairsInput
    LONGEST = 200

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def clean(self, value: Any) -> list[dict[str, str]]:
        rows = [(number, *row) for number, row in enumerate(value or [], 1) if any(row)]
        if len(rows) > self.most:
            raise ValidationError(f"At most {self.most} rows, please; there are {len(rows)}.")
        for number, written, spoken in rows:
            if not written:
                raise ValidationError(f"Row {number}: what is written for “{spoken[:40]}”?")
            if not spoken:
                raise ValidationError(f"Row {number}: how is “{written[:40]}” spoken?")
            if max(len(written), len(spoken)) > self.LONGEST:
                raise ValidationError(f"Row {number} is too long: at most {self.LONGEST} characters a side.")
            if "\x00" in written + spoken:
                raise ValidationError(f"Row {number} holds a character that cannot be sent.")
        return [{"original": written, "replacement": spoken} for _, written, spoken in rows]


class IdsField(forms.CharField):
    """Ids of VideoGen's, one a line; cleaned to a list."""

    LONGEST = 128

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea if most > 1 else forms.TextInput, max_length=10_000, **kwargs)
        self.most = most

    def clean(self, value: Any) -> list[str]:
        ids = list(dict.fromkeys(super().clean(value).split()))
        if len(ids) > self.most:
            raise ValidationError(
                "One id, please." if self.most == 1 else f"At most {self.most} ids, please."
            )
        for each in ids:
            if len(each) > self.LONGEST or not each.isascii():
                raise ValidationError(f"“{each[:40]}” is not an id of VideoGen’s.")
        return ids


class FilesField(forms.Field):
    """Files of the library, by VideoGen's ids; cleaned to those ids, in the order in which they were chosen."""

    widget = forms.SelectMultiple
    hidden_widget = forms.MultipleHiddenInput

    def __init__(self, *, entry: spec.Files, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = entry

    def clean(self, value: Any) -> list[str]:
        ids = list(dict.fromkeys(str(each) for each in value or [] if each))
        if self.required and not ids:
            wanted = TYPE_WORDS.get(self.entry.media[0], "a file") if self.entry.media else "a file"
            raise ValidationError(f"{self.entry.label}: please choose {wanted}.", code="required")
        if len(ids) > self.entry.most:
            said = (
                "One file, please." if self.entry.most == 1 else f"At most {self.entry.most} files, please."
            )
            raise ValidationError(f"{said} You chose {len(ids)}.")
        known = self.find([each for each in ids if "\x00" not in each])
        for each in ids:
            self._check(known.get(each))
        return ids

    def find(self, ids: list[str]) -> dict[str, File]:
        """The files that there are, by VideoGen's id. A batch looks all of its rows' up at once instead."""
        return File.objects.in_bulk(ids, field_name="remote_id")

    def _check(self, file: File | None) -> None:
        if file is None:
            raise ValidationError("A file that was chosen is not in the library any more. Choose another.")
        if self.entry.media and file.type and file.type not in self.entry.media:
            wanted = " or ".join(TYPE_WORDS.get(media, media.lower()) for media in self.entry.media)
            is_a = TYPE_WORDS.get(file.type, file.type.lower())
            raise ValidationError(f"“{file}” is {is_a}; this needs {wanted}.")


def _text(field: spec.Text, **common: Any) -> forms.Field:
    widget = forms.Textarea if field.multiline else forms.TextInput
    return forms.CharField(max_length=field.max_length, widget=widget, **common)


def _number(field: spec.Number, **common: Any) -> forms.Field:
    # Both take limits of either kind; Django's stubs want whole ones for whole numbers.
    kind: Callable[..., forms.Field] = forms.IntegerField if field.whole else forms.FloatField
    return kind(min_value=field.low, max_value=field.high, initial=field.initial, **common)


def _shape(field: spec.Shape, **common: Any) -> forms.Field:
    choices = [(option, option) for option in field.options]
    return forms.ChoiceField(choices=choices, initial=field.initial, widget=forms.RadioSelect, **common)


MAKERS: dict[str, Callable[..., forms.Field]] = {
    "text": _text,
    "number": _number,
    "choice": lambda field, **common: forms.ChoiceField(
        choices=field.options, initial=field.initial, **common
    ),
    "shape": _shape,
    "switch": lambda field, **common: forms.BooleanField(initial=field.initial, **common),
    "voice": lambda field, **common: forms.ChoiceField(choices=[("", "VideoGen's own choice")], **common),
    "presenter": lambda field, **common: forms.ChoiceField(choices=[("", "")], **common),
    "replacements": lambda field, **common: ReplacementsField(most=field.most, **common),
    "ids": lambda field, **common: IdsField(most=100 if field.is_list else 1, **common),
    "files": lambda field, **common: FilesField(entry=field, **common),
}


def form_field(entry: spec.Field) -> forms.Field:
    """The form's field for an entry of a tool; the entry itself is its `spec`, for the templates."""
    field = MAKERS[entry.kind](entry, label=entry.label, help_text=entry.help, required=entry.required)
    field.spec = entry  # type: ignore[attr-defined]  # ours, read by templates
    field.error_messages.setdefault("required", "")
    field.error_messages["required"] = f"{entry.label}: please fill this in."
    return field


def offer(field: forms.Field, choices: Sequence[tuple[str, str]]) -> None:
    """Add what the account has to a field of choices."""
    assert isinstance(field, forms.ChoiceField)
    # The stubs give what may be assigned, a callable too; what is read is always iterable.
    known: Iterable[Any] = field.choices  # type: ignore[assignment]
    field.choices = [*known, *choices]
