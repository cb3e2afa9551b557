"""Inserts the jobs of a batch in bulk, in a number of statements that hardly depends on the number of rows."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from executions import tools
from executions.batches.rows import Row, known_files
from executions.lifecycle import create, status_machine
from executions.lifecycle.chains import speech_title
from executions.models import Batch, Execution, File, Input
from executions.tools import Tool, ValidatedBody


def insert(batch: Batch, rows: Sequence[Row]) -> int:
    """Insert the batch's jobs, to be sent from `batch.sends_at`, and return their number. Call it in a transaction."""
    tool = tools.find(batch.tool)
    files = known_files(tool, [row.body for row in rows])
    jobs: list[Execution] = []
    inputs: list[Input] = []
    details: dict[uuid.UUID, dict[str, Any]] = {}
    for row in rows:
        row_jobs = list(_jobs(batch, tool, row, files))
        jobs += row_jobs
        if row.rerun_of:
            details[row_jobs[-1].pk] = {"again": row.rerun_of}
        inputs += _inputs(tool, row_jobs[-1], files)
    for index, job in enumerate(jobs):
        # A microsecond apart, so that they are sent in the order of the rows.
        job.next_attempt_at = batch.sends_at + timedelta(microseconds=index)
    status_machine.start_all(jobs, actor_id=batch.created_by_id, details=details)
    Input.objects.bulk_create(inputs)
    return len(jobs)


def job_count(rows: Sequence[Row]) -> int:
    """The number of jobs for the rows. A row with a speech becomes two jobs."""
    return len(rows) + sum(row.speech is not None for row in rows)


def _jobs(batch: Batch, tool: Tool, row: Row, files: dict[str, File]) -> Iterator[Execution]:
    before = None
    if row.speech is not None:
        speech_tool = tools.TOOLS["text-to-speech"]
        before = _job(batch, speech_tool, row.speech.body, row.speech.script)
        yield before
    names = {remote_id: file.display_name for remote_id, file in files.items()}
    title = speech_title(tool, row.speech) if row.speech else tool.title(row.body, names)
    yield _job(batch, tool, row.body, title, after=before, after_field=tool.recording_field if before else "")


def _job(batch: Batch, tool: Tool, body: ValidatedBody, title: str, **chained: Any) -> Execution:
    create.require_validated(body)
    return Execution(
        tool=tool.slug,
        request_body=body,
        prompt=title,
        # A chained job is never a duplicate: its input is made for it alone.
        fingerprint="" if chained.get("after") else create.fingerprint(tool, body),
        created_by_id=batch.created_by_id,
        batch=batch,
        **chained,
    )


def _inputs(tool: Tool, job: Execution, files: dict[str, File]) -> Iterator[Input]:
    positions = Counter[str]()
    for field, remote_id in tool.inputs(job.request_body):
        if remote_id in files:
            yield Input(execution=job, file=files[remote_id], field=field, position=positions[field])
        positions[field] += 1
