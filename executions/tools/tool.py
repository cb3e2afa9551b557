"""An entry of the catalogue, and everything derived from it: request bodies, form values, titles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from executions.tools import api_versions
from executions.tools.field_types import Field, Files

IMAGE, VIDEO, AUDIO = "IMAGE", "VIDEO", "AUDIO"


@dataclass(frozen=True)
class Tool:
    """A tool of VideoGen's as data: forms, validation, requests and pages of its jobs are derived from it."""

    slug: str
    """The last part of the endpoint's path: POST /v1/tools/<slug>."""
    tool_type: str
    """The tool's name in executions and events."""
    label: str
    """One or two words, for a tab."""
    noun: str
    """The product, as in "generate an image"."""
    icon: str
    """The name of a Lucide icon."""
    media: str
    """The type of the results."""
    fields: tuple[Field, ...]
    subject: str
    """The field whose text is the job's title; empty if the title is made from a file's name."""
    action: str = ""
    """The verb in front of that file's name: "Upscale"."""
    since: str = ""
    """The first API version that has the tool; "" for all of them."""
    at_least_one: tuple[str, ...] = ()
    """Names of fields of which at least one must be filled in."""
    recording_field: str = ""
    """The field for a recording that may also be typed as a script; the form then starts a chain, speech first."""

    def is_in(self, api_version: str) -> bool:
        return api_versions.within(api_version, self.since, "")

    def for_api_version(self, api_version: str) -> Tool:
        """The tool in one API version: without fields that the version lacks, with its required fields."""
        fields = tuple(
            replace(field, required=True) if api_version in field.required_in else field
            for field in self.fields
            if field.is_in(api_version)
        )
        names = {field.name for field in fields}
        return replace(self, fields=fields, at_least_one=tuple(n for n in self.at_least_one if n in names))

    def unavailable_fields(self, api_version: str) -> list[str]:
        """Labels of the fields that only other API versions have, for a note on the form."""
        available = {field.name for field in self.fields if field.is_in(api_version)}
        return list(dict.fromkeys(field.label for field in self.fields if field.name not in available))

    @property
    def basic_fields(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if not field.advanced)

    @property
    def advanced_fields(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.advanced)

    @property
    def file_fields(self) -> tuple[Files, ...]:
        return tuple(field for field in self.fields if isinstance(field, Files))

    def field_for(self, media: str) -> Files | None:
        """The first field that accepts a file of this type; None if the tool accepts none."""
        return next((field for field in self.file_fields if not field.media or media in field.media), None)

    def body(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The request body for cleaned form values, with the names of API version 2."""
        body: dict[str, Any] = {}
        for field in self.fields:
            part = field.to_body(values.get(field.name))
            if field.inside and part:
                body.setdefault(field.inside, {}).update(part)
            else:
                body.update(part)
        return body

    def request(self, body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
        """The request body for `api_version`: with its names, and without fields that it lacks."""
        available = {field.inside or field.name for field in self.fields if field.is_in(api_version)}
        unavailable = {field.inside or field.name for field in self.fields} - available
        return api_versions.to_wire(
            self.slug, {name: value for name, value in body.items() if name not in unavailable}, api_version
        )

    def values(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The form's values for a request body, as "edit and run" needs them."""
        values = {field.name: field.from_body(self._parent(field, body)) for field in self.fields}
        return {name: value for name, value in values.items() if value is not None}

    def inputs(self, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The input files of a request body, as pairs (field name, VideoGen id)."""
        return [(field.name, remote_id) for field in self.file_fields for remote_id in field.ids(body)]

    def parameters(self, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The job's settings as pairs (label, text), in the form's order; unknown names come last, unchanged."""
        by_name: dict[str, Field] = {}
        for field in self.fields:
            by_name.setdefault(field.name, field)
        shown = [
            (field.label, field.show(self._parent(field, body)[name]))
            for name, field in by_name.items()
            if name in self._parent(field, body)
        ]
        known = {field.inside or field.name for field in self.fields}
        return shown + [(name, str(value)) for name, value in body.items() if name not in known]

    def title(self, body: Mapping[str, Any], file_names: Mapping[str, str]) -> str:
        """A job's title: its prompt, or the action and the file names. `file_names` is keyed by VideoGen id."""
        text = str(body.get(self.subject, "")).strip() if self.subject else ""
        names = [f"“{file_names.get(remote_id) or 'a file'}”" for _, remote_id in self.inputs(body)]
        return text or f"{self.action or self.label} {', '.join(names)}".strip()

    @staticmethod
    def _parent(field: Field, body: Mapping[str, Any]) -> Mapping[str, Any]:
        part = body.get(field.inside) if field.inside else body
        return part if isinstance(part, Mapping) else {}
