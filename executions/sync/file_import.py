"""Imports the account's other files into the library, by reading VideoGen's list page by page.

The list is sorted by last change, newest first. A round starts at the top and stops at a page without new files. The
rest of a long list is read over many rounds, each with a limited number of pages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from executions import policy, tools
from executions.core import runtime
from executions.core.ids import uuid7_at
from executions.limits import api_health, poll_budget
from executions.models import File, FileImport
from executions.models.file import FileOrigin, State
from executions.policy import Action, Actor
from executions.videogen import ApiPage, InvalidRequest, RemoteFile, VideoGenError

logger = logging.getLogger(__name__)

MAX_PAGES = 20  # per round, with 200 files each
LEASE = timedelta(minutes=5)
# Time between rounds.
INTERVAL = timedelta(minutes=5)
# Time between rounds until the list has been read to its end, and after an error.
SHORT_INTERVAL = timedelta(seconds=30)
# Fields of our files that the list updates. Its URLs are older than ours (docs/api-notes.md#signed-urls).
UPDATED_FIELDS = ("type", "scope", "display_name", "description", "transcript", "duration", "analysis_state")


def state() -> FileImport:
    """The progress of the import; initially, before the first round."""
    return FileImport.objects.filter(pk=1).first() or FileImport()


def _stored_state() -> FileImport:
    progress, _ = FileImport.objects.get_or_create(pk=1)
    return progress


def request_sync(actor: Actor) -> None:
    """Make the next round due now. Raises NotAllowed."""
    policy.require(actor, Action.FILES_IMPORT)
    FileImport.objects.filter(pk=_stored_state().pk).update(ran_at=None)


def claim() -> FileImport | None:
    """Claim the next round, if it is due and no other worker has it."""
    progress = _stored_state()
    due = Q(ran_at=None) | Q(ran_at__lte=timezone.now() - _interval(progress))
    progress.leased_until = FileImport.objects.filter(due, pk=progress.pk).claim_all(LEASE)
    return progress if progress.leased_until else None


def _interval(progress: FileImport) -> timedelta:
    return INTERVAL if progress.completed_at and not progress.problem else SHORT_INTERVAL


async def run() -> int:
    """Run a round, if it is due. Returns the number of new files; never raises VideoGenError."""
    progress = await runtime.in_db(claim)
    if progress is None:
        return 0
    problem, imported = "", 0
    try:
        imported = await _import_new(progress)
        await api_health.record_success()
    except VideoGenError as error:
        await api_health.record_error(error)
        problem = error.message
        logger.warning("Could not list the account's files: %s", error)
    await runtime.in_db(_save_progress, progress, problem)
    return imported


async def _import_new(progress: FileImport) -> int:
    """Import from the top of the list, then continue with its older part. Returns the number of new files."""
    left, imported = MAX_PAGES, 0
    # New files at the top are dated from now, unless the whole list is being read for the first time.
    has_read_before = bool(progress.cursor or progress.completed_at)
    if not has_read_before:
        progress.began_at, progress.position = timezone.now(), 0
    began, position, cursor = (timezone.now(), 0, None) if has_read_before else (progress.began_at, 0, None)
    while left:
        page = await runtime.client().list_files(cursor=cursor)
        await poll_budget.shared.spend()  # counts like any other read
        left -= 1
        new = await runtime.in_db(store_page, page.items, began, position)
        imported, position = imported + new, position + len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            progress.cursor, progress.completed_at = "", progress.completed_at or timezone.now()
            return imported
        if has_read_before and not new:
            break
    else:
        # There are more new files than one round reads: the next round continues here.
        progress.cursor, progress.completed_at, progress.began_at, progress.position = (
            cursor or "",
            None,
            began,
            position,
        )
        return imported
    return imported + (await _import_older(progress, left) if progress.cursor else 0)


async def _import_older(progress: FileImport, left: int) -> int:
    """Read the rest of the list, from where the last round stopped. Returns the number of new files."""
    imported = 0
    while left and progress.cursor:
        try:
            page: ApiPage[RemoteFile] = await runtime.client().list_files(cursor=progress.cursor)
        except InvalidRequest:
            # VideoGen no longer accepts the cursor: read the whole list again.
            progress.cursor, progress.completed_at = "", None
            return imported
        await poll_budget.shared.spend()
        left -= 1
        began = progress.began_at or timezone.now()
        imported += await runtime.in_db(store_page, page.items, began, progress.position)
        progress.position += len(page.items)
        if page.next_cursor == progress.cursor:
            page = ApiPage(())
        progress.cursor = page.next_cursor or ""
        if not progress.cursor:
            progress.completed_at = timezone.now()
    return imported


def store_page(wires: Sequence[RemoteFile], began: datetime, position: int) -> int:
    """Store the files of a page. Returns the number of new ones.

    New files are sorted in the library by their `position` in the list, as if created just before `began`.
    """
    known = {file.remote_id: file for file in File.objects.filter(remote_id__in=[w.file_id for w in wires])}
    base = int(began.timestamp() * 1000) - position
    new = {
        wire.file_id: File(id=uuid7_at(base - place), **_columns(wire))
        for place, wire in enumerate(wires)
        if wire.file_id not in known
    }
    changed = [file for wire in wires if (file := known.get(wire.file_id)) and _update(file, wire)]
    with transaction.atomic():
        File.objects.bulk_create(new.values(), ignore_conflicts=True)
        if changed:
            File.objects.bulk_update(
                changed, [*UPDATED_FIELDS, "public_since", "public_until", "public_by", "gone_at"]
            )
    return len(new)


def _columns(wire: RemoteFile) -> dict[str, Any]:
    best = wire.download or wire.preview or wire.thumbnail
    tool = tools.BY_TYPE.get(wire.source_tool_type)
    return {
        "remote_id": wire.file_id,
        "type": wire.type,
        "scope": wire.scope,
        "display_name": wire.display_name[:500],
        "description": wire.description,
        "transcript": wire.transcript,
        "duration": wire.duration,
        "width": best.width if best else None,
        "height": best.height if best else None,
        "bytes": best.file_bytes if best else None,
        "analysis_state": wire.analysis_state,
        "snapshot": wire.raw,
        "origin": FileOrigin.ACCOUNT,
        "state": State.READY,
        "source_tool": tool.slug if tool else "",
        "public_since": timezone.now() if wire.is_public_preview_enabled else None,
    }


def _update(file: File, wire: RemoteFile) -> bool:
    """Set the fields that changed at VideoGen. Returns whether any did."""
    listed = {name: getattr(wire, name) for name in UPDATED_FIELDS}
    listed["display_name"] = listed["display_name"][:500]
    changes = {
        name: value
        for name, value in listed.items()
        if value not in (None, "") and value != getattr(file, name)
    }
    # Public previews that were opened or closed outside Rushes. Our own changes of the last minute may be newer than
    # the list.
    ours_is_newer = (timezone.now() - file.updated_at).total_seconds() < 60
    if not ours_is_newer and "isPublicPreviewEnabled" in wire.raw:
        if wire.is_public_preview_enabled and file.public_since is None:
            changes["public_since"] = timezone.now()
        elif not wire.is_public_preview_enabled and file.public_since is not None:
            changes |= {"public_since": None, "public_until": None, "public_by_id": None}
    if file.gone_at is not None:
        changes["gone_at"] = None  # it is listed, so it exists, whatever was reported before
    for name, value in changes.items():
        setattr(file, name, value)
    return bool(changes)


def _save_progress(progress: FileImport, problem: str) -> None:
    """Store the position, unless the lease has expired: then another process continues from the previous one."""
    FileImport.objects.release(
        progress,
        cursor=progress.cursor,
        completed_at=progress.completed_at,
        began_at=progress.began_at,
        position=progress.position,
        ran_at=timezone.now(),
        problem=problem[:500],
    )


def seconds_until_due() -> float:
    """Seconds until the next round is due."""
    progress = state()
    if progress.ran_at is None:
        return 0.0
    return max(0.0, progress.ran_at.timestamp() + _interval(progress).total_seconds() - time.time())
