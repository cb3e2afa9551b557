"""Writes the jobs of a batch at once, in a number of statements that hardly grows with the rows."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from executions import tools
from executions.batches.rows import Row, known_files, spoken_title
from executions.lifecycle import create
from executions.lifecycle import machine as lifecycle
from executions.models import Batch, Execution, File, Input
from executions.tools import Tool, ValidatedBody


def insert(batch: Batch, rows: Sequence[Row]) -> int:
    """Write the batch's jobs, to be sent from `batch.sends_at` on. Returns how many. Call it in a transaction."""
    tool = tools.find(batch.tool)
    files = known_files(tool, [row.body for row in rows])
    jobs: list[Execution] = []
    inputs: list[Input] = []
    again: dict[uuid.UUID, dict[str, Any]] = {}
    for row in rows:
        made = list(_jobs(batch, tool, row, files))
        jobs += made
        if row.again:
            again[made[-1].pk] = {"again": row.again}
        inputs += _inputs(tool, made[-1], files)
    for place, job in enumerate(jobs):
        # A hair's breadth apart: they leave in the order in which they were asked for.
        job.next_attempt_at = batch.sends_at + timedelta(microseconds=place)
    lifecycle.start_all(jobs, actor_id=batch.created_by_id, details=again)
    Input.objects.bulk_create(inputs)
    return len(jobs)


def size(rows: Sequence[Row]) -> int:
    """How many jobs the rows become: what is spoken first is a job of its own."""
    return len(rows) + sum(row.speech is not None for row in rows)


def _jobs(batch: Batch, tool: Tool, row: Row, files: dict[str, File]) -> Iterator[Execution]:
    before = None
    if row.speech is not None:
        voice = tools.TOOLS["text-to-speech"]
        before = _job(batch, voice, row.speech.body, row.speech.words)
        yield before
    names = {remote_id: file.display_name for remote_id, file in files.items()}
    title = spoken_title(tool, row.speech) if row.speech else tool.title(row.body, names)
    yield _job(batch, tool, row.body, title, after=before, after_field=tool.recording_field if before else "")


def _job(batch: Batch, tool: Tool, body: ValidatedBody, title: str, **chained: Any) -> Execution:
    create.require_validated(body)
    return Execution(
        tool=tool.slug,
        request_body=body,
        prompt=title,
        # A chained job is like no other: what it works from is made for it.
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
