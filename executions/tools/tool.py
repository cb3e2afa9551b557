"""What an entry of the catalogue is, and what can be derived from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from executions.tools import api_versions
from executions.tools.fields import Field, Files

IMAGE, VIDEO, AUDIO = "IMAGE", "VIDEO", "AUDIO"


@dataclass(frozen=True)
class Tool:
    slug: str
    """The last part of the endpoint's path: POST /v1/tools/<slug>."""
    tool_type: str
    """What executions and events call it."""
    label: str
    """A word or two, for a tab."""
    noun: str
    """What it makes, as in "generate an image"."""
    icon: str
    """A Lucide icon's name."""
    media: str
    """The type of its results."""
    fields: tuple[Field, ...]
    subject: str
    """The field whose words stand for the job in lists; empty where a file's name does."""
    action: str = ""
    """What stands before that file's name: "Upscale"."""
    since: str = ""
    """The first era of the API that has it."""
    at_least_one: tuple[str, ...] = ()
    """Names of fields of which one must be filled in."""
    spoken: str = ""
    """The field for a recording that may be spoken first: the form then takes words, and a chain is started."""

    def is_in(self, api_version: str) -> bool:
        return api_versions.within(api_version, self.since, "")

    def for_api_version(self, api_version: str) -> Tool:
        """The tool as that era has it: without the fields that it lacks, with those demanded that it demands."""
        fields = tuple(
            replace(field, required=True) if api_version in field.required_in else field
            for field in self.fields
            if field.is_in(api_version)
        )
        names = {field.name for field in fields}
        return replace(self, fields=fields, at_least_one=tuple(n for n in self.at_least_one if n in names))

    def lacking(self, api_version: str) -> list[str]:
        """Labels of what other eras have and this one has not, for a word about it on the form."""
        here = {field.name for field in self.fields if field.is_in(api_version)}
        return list(dict.fromkeys(field.label for field in self.fields if field.name not in here))

    @property
    def basic_fields(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if not field.advanced)

    @property
    def advanced_fields(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.advanced)

    @property
    def file_fields(self) -> tuple[Files, ...]:
        return tuple(field for field in self.fields if isinstance(field, Files))

    def takes(self, media: str) -> Files | None:
        """The field that a file of this type goes into, if the tool can work from one."""
        return next((field for field in self.file_fields if not field.media or media in field.media), None)

    def body(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The request body for cleaned form values, in our names."""
        body: dict[str, Any] = {}
        for field in self.fields:
            part = field.to_body(values.get(field.name))
            if field.inside and part:
                body.setdefault(field.inside, {}).update(part)
            else:
                body.update(part)
        return body

    def request(self, body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
        """The request body as `era` takes it: in its names, and without what it lacks."""
        here = {field.inside or field.name for field in self.fields if field.is_in(api_version)}
        elsewhere = {field.inside or field.name for field in self.fields} - here
        return api_versions.to_wire(
            self.slug, {n: value for n, value in body.items() if n not in elsewhere}, api_version
        )

    def values(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The form's values for a request body: what "edit and run" starts from."""
        found = {field.name: field.from_body(self._where(field, body)) for field in self.fields}
        return {name: value for name, value in found.items() if value is not None}

    def inputs(self, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The files that a request body works from: (field's name, VideoGen's id)."""
        return [(field.name, remote_id) for field in self.file_fields for remote_id in field.ids(body)]

    def parameters(self, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What was asked for, in words, in the form's order; names that we do not know come last, as they are."""
        known: dict[str, Field] = {}
        for field in self.fields:
            known.setdefault(field.name, field)
        shown = [
            (field.label, field.show(self._where(field, body)[name]))
            for name, field in known.items()
            if name in self._where(field, body)
        ]
        ours = {field.inside or field.name for field in self.fields}
        return shown + [(name, str(value)) for name, value in body.items() if name not in ours]

    def title(self, body: Mapping[str, Any], file_names: Mapping[str, str]) -> str:
        """The words that stand for a job: its prompt, or what is done to which file (names by VideoGen's id)."""
        words = str(body.get(self.subject, "")).strip() if self.subject else ""
        names = [f"“{file_names.get(remote_id) or 'a file'}”" for _, remote_id in self.inputs(body)]
        return words or f"{self.action or self.label} {', '.join(names)}".strip()

    @staticmethod
    def _where(field: Field, body: Mapping[str, Any]) -> Mapping[str, Any]:
        part = body.get(field.inside) if field.inside else body
        return part if isinstance(part, Mapping) else {}
