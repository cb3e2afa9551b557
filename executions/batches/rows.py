"""The rows of a plan: each describes one job that was validated and is not created yet."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from executions.lifecycle import create
from executions.lifecycle.chains import speech_title
from executions.models import BatchPlan, Execution, File
from executions.statuses import SUCCEEDED
from executions.tools import Speech, Tool, ValidatedBody, already_validated, find


@dataclass(frozen=True)
class Row:
    """`number` is the row's number for the person: the line, the row of the table, or the position of the file."""

    number: int
    body: ValidatedBody
    title: str = ""
    speech: Speech | None = None
    duplicate_of: str = ""
    """The id of an earlier job with the same request, if there is one."""
    rerun_of: str = ""
    """The id of the job that this one repeats, if it does."""

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Row:
        speech = stored.get("speech")
        return cls(
            number=stored["number"],
            body=already_validated(stored["body"]),
            title=stored.get("title", ""),
            speech=Speech(speech["words"], speech.get("voice_id", "")) if speech else None,
            duplicate_of=stored.get("made", ""),
            rerun_of=stored.get("again", ""),
        )

    def to_json(self) -> dict[str, Any]:
        speech = self.speech
        return {
            "number": self.number,
            "body": dict(self.body),
            "title": self.title,
            "speech": {"words": speech.script, "voice_id": speech.voice_id} if speech else None,
            "made": self.duplicate_of,
            "again": self.rerun_of,
        }


def plan_rows(plan: BatchPlan) -> list[Row]:
    return [Row.from_json(stored) for stored in plan.rows]


def known_files(tool: Tool, bodies: Iterable[dict[str, Any]]) -> dict[str, File]:
    """The files that the request bodies name, by VideoGen's id, in one query."""
    remote_ids = {remote_id for body in bodies for _, remote_id in tool.inputs(body)}
    return File.objects.by_remote_id(remote_ids)


def with_titles(tool: Tool, rows: Sequence[Row]) -> list[Row]:
    """The rows with their titles, and with the ids of earlier jobs with the same request."""
    files = known_files(tool, [row.body for row in rows])
    names = {remote_id: file.display_name for remote_id, file in files.items()}
    fingerprints = [create.fingerprint(tool, row.body) if row.speech is None else "" for row in rows]
    earlier = _earlier_jobs(fingerprints)
    return [
        Row(
            row.number,
            row.body,
            speech_title(tool, row.speech) if row.speech else tool.title(row.body, names),
            row.speech,
            str(earlier[fingerprint]) if fingerprint in earlier else "",
            row.rerun_of,
        )
        for row, fingerprint in zip(rows, fingerprints, strict=True)
    ]


def _earlier_jobs(fingerprints: Iterable[str]) -> dict[str, uuid.UUID]:
    """The latest job that succeeded, by fingerprint."""
    jobs = Execution.objects.filter(fingerprint__in={each for each in fingerprints if each}, status=SUCCEEDED)
    return dict(jobs.order_by("id").values_list("fingerprint", "pk"))


def rerun_rows(jobs: Iterable[Execution]) -> list[Row]:
    """Rows that repeat the requests of these jobs. Load the jobs with select_related("after")."""
    rows: list[Row] = []
    for job in jobs:
        speech = None
        before = job.after
        if before is not None and not find(job.tool).inputs(job.request_body):
            # The speech was never produced, so it is repeated as well.
            request = before.request_body
            speech = Speech(str(request.get("ttsText", "")), str(request.get("voiceId", "")))
        rows.append(
            Row(len(rows) + 1, already_validated(job.request_body), speech=speech, rerun_of=str(job.pk))
        )
    return rows
