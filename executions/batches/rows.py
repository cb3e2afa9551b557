"""The rows of a plan: each is one job that was checked, and is not written yet."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from executions.lifecycle import create
from executions.lifecycle.chains import Speech
from executions.models import BatchPlan, Execution, File
from executions.statuses import SUCCEEDED
from executions.tools import Tool, ValidatedBody, already_validated, find


@dataclass(frozen=True)
class Row:
    """`number` is what the person calls it: the line, the row of the table, or the file's place."""

    number: int
    body: ValidatedBody
    title: str = ""
    speech: Speech | None = None
    made: str = ""
    """The id of a job that made the same before, if there is one."""
    again: str = ""
    """The id of the job that is repeated, if one is."""

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Row:
        speech = kept.get("speech")
        body = already_validated(kept["body"])
        return cls(**{**kept, "body": body, "speech": Speech(**speech) if speech else None})

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "body": dict(self.body), "speech": asdict(self.speech) if self.speech else None}


def of_plan(plan: BatchPlan) -> list[Row]:
    return [Row.from_json(kept) for kept in plan.rows]


def known_files(tool: Tool, bodies: Iterable[dict[str, Any]]) -> dict[str, File]:
    """The files that any of the bodies names, by VideoGen's id, in one query."""
    remote_ids = {remote_id for body in bodies for _, remote_id in tool.inputs(body)}
    return File.objects.in_bulk(remote_ids, field_name="remote_id") if remote_ids else {}


def titled(tool: Tool, rows: Sequence[Row]) -> list[Row]:
    """The rows with the words that stand for them, and with what made the same before."""
    files = known_files(tool, [row.body for row in rows])
    names = {remote_id: file.display_name for remote_id, file in files.items()}
    prints = [create.fingerprint(tool, row.body) if row.speech is None else "" for row in rows]
    made = _made_before(prints)
    return [
        Row(
            row.number,
            row.body,
            spoken_title(tool, row.speech) if row.speech else tool.title(row.body, names),
            row.speech,
            str(made[mark]) if mark in made else "",
            row.again,
        )
        for row, mark in zip(rows, prints, strict=True)
    ]


def spoken_title(tool: Tool, speech: Speech) -> str:
    return f"{tool.label}: “{speech.words[:200]}”"


def _made_before(fingerprints: Iterable[str]) -> dict[str, uuid.UUID]:
    """The latest job that succeeded, for each fingerprint that has one."""
    same = Execution.objects.filter(fingerprint__in={mark for mark in fingerprints if mark}, status=SUCCEEDED)
    return dict(same.order_by("id").values_list("fingerprint", "pk"))


def of_jobs(jobs: Iterable[Execution]) -> list[Row]:
    """Rows that ask again what these jobs asked. The jobs carry `after`."""
    rows: list[Row] = []
    for job in jobs:
        speech = None
        before = job.after
        if before is not None and not find(job.tool).inputs(job.request_body):
            # Its recording was never made: it is spoken again.
            said = before.request_body
            speech = Speech(str(said.get("ttsText", "")), str(said.get("voiceId", "")))
        rows.append(Row(len(rows) + 1, already_validated(job.request_body), speech=speech, again=str(job.pk)))
    return rows
