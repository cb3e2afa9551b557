"""Keeps what VideoGen tells about files: as results of a job, and as the snapshot that links are made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from executions.models import Execution, File, Result
from executions.models.file import Origin, State
from executions.videogen import File as WireFile
from executions.videogen import ToolResult


def keep_results(execution: Execution, results: Iterable[ToolResult]) -> None:
    """Write a job's results, in VideoGen's order. Called once, by the lifecycle, when the job succeeds."""
    results = list(results)
    made_by = {
        "origin": Origin.RESULT,
        "source_tool": execution.tool,
        "created_by_id": execution.created_by_id,
        "state": State.READY,
    }
    for result in results:
        if result.file is not None:
            _write(result.file_id, {**_told(result.file, result.type), **made_by})
        else:
            _write(result.file_id, {"type": result.type or "", **made_by})
    ids = dict(
        File.objects.filter(remote_id__in=[result.file_id for result in results]).values_list(
            "remote_id", "pk"
        )
    )
    Result.objects.bulk_create(
        Result(execution=execution, file_id=ids[result.file_id], position=position)
        for position, result in enumerate(results)
    )


def keep_file(wire: WireFile) -> File:
    """Write what VideoGen last told about a file."""
    _write(wire.file_id, _told(wire))
    return File.objects.get(remote_id=wire.file_id)


def _write(remote_id: str, columns: dict[str, Any]) -> None:
    """Write these columns of a file, known or not, in one statement: two who do so at once both succeed."""
    File.objects.bulk_create(
        [File(remote_id=remote_id, **columns)],
        update_conflicts=True,
        unique_fields=["remote_id"],
        update_fields=[*columns],
    )


def _told(wire: WireFile, type_hint: str = "") -> dict[str, Any]:
    """The columns that VideoGen says something about."""
    columns = {name: value for name, value in _columns(wire, type_hint).items() if value not in (None, "")}
    # What is told of is there, whatever was heard before.
    return {**columns, "gone_at": None, "updated_at": timezone.now()}


def _columns(wire: WireFile, type_hint: str) -> dict[str, Any]:
    best = wire.download or wire.preview or wire.thumbnail
    return {
        "type": wire.type or type_hint,
        "scope": wire.scope,
        "display_name": (wire.display_name or "")[:500],
        "description": wire.description,
        "transcript": wire.transcript,
        "duration": wire.duration,
        "width": best.width if best else None,
        "height": best.height if best else None,
        "bytes": best.file_bytes if best else None,
        "analysis_state": wire.analysis_state,
        "snapshot": wire.raw,
    }
