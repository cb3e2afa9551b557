"""Stores what VideoGen reports about files: the results of a job, and the snapshots that contain signed URLs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from executions.models import Execution, File, Result
from executions.models.file import FileOrigin, State
from executions.videogen import RemoteFile, ToolResult


def store_results(execution: Execution, results: Iterable[ToolResult]) -> None:
    """Store a job's results in VideoGen's order. The lifecycle calls it once, when the job succeeds."""
    results = list(results)
    provenance = {
        "origin": FileOrigin.RESULT,
        "source_tool": execution.tool,
        "created_by_id": execution.created_by_id,
        "state": State.READY,
    }
    for result in results:
        if result.file is not None:
            _upsert(result.file_id, {**_reported(result.file, result.type), **provenance})
        else:
            _upsert(result.file_id, {"type": result.type or "", **provenance})
    ids = dict(
        File.objects.filter(remote_id__in=[result.file_id for result in results]).values_list(
            "remote_id", "pk"
        )
    )
    Result.objects.bulk_create(
        Result(execution=execution, file_id=ids[result.file_id], position=position)
        for position, result in enumerate(results)
    )


def store_file(wire: RemoteFile) -> File:
    """Store the latest report of a file."""
    _upsert(wire.file_id, _reported(wire))
    return File.objects.get(remote_id=wire.file_id)


def _upsert(remote_id: str, columns: dict[str, Any]) -> None:
    """Insert or update a file in one statement, so that concurrent writers both succeed."""
    File.objects.bulk_create(
        [File(remote_id=remote_id, **columns)],
        update_conflicts=True,
        unique_fields=["remote_id"],
        update_fields=[*columns],
    )


def _reported(wire: RemoteFile, type_hint: str = "") -> dict[str, Any]:
    """The columns for which the report has a value."""
    columns = {name: value for name, value in _columns(wire, type_hint).items() if value not in (None, "")}
    # A reported file exists, even if VideoGen has said otherwise before.
    return {**columns, "gone_at": None, "updated_at": timezone.now()}


def _columns(wire: RemoteFile, type_hint: str) -> dict[str, Any]:
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
