"""Brings the account's other files into the library, by reading VideoGen's list page by page.

The list has the latest change first. A round begins at its top and ends where everything is known; the rest of a
long list is read over many rounds, each of a bounded number of pages.
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
from executions.models import AccountWalk, File
from executions.models.file import Origin, State
from executions.policy import Action, Actor
from executions.videogen import File as WireFile
from executions.videogen import InvalidRequest, Page, VideoGenError

logger = logging.getLogger(__name__)

PAGES = 20  # of 200 files each, in one round
LEASE = timedelta(minutes=5)
AGAIN = timedelta(minutes=5)
# While the list is not read to its end.
SOON = timedelta(seconds=30)
# What the list may tell anew about a file that we have. Its addresses are older than ours (docs/api-notes.md#signed-urls).
TOLD = ("type", "scope", "display_name", "description", "transcript", "duration", "analysis_state")


def state() -> AccountWalk:
    walk, _ = AccountWalk.objects.get_or_create(pk=1)
    return walk


def ask_soon(actor: Actor) -> None:
    """The next round begins at once."""
    policy.require(actor, Action.FILES_IMPORT)
    AccountWalk.objects.filter(pk=state().pk).update(ran_at=None)


def claim() -> AccountWalk | None:
    """Take the next round, if its time has come and nobody is at it."""
    walk = state()
    due = Q(ran_at=None) | Q(ran_at__lte=timezone.now() - _pause(walk))
    walk.leased_until = AccountWalk.objects.filter(due, pk=walk.pk).take(LEASE)
    return walk if walk.leased_until else None


def _pause(walk: AccountWalk) -> timedelta:
    return AGAIN if walk.completed_at and not walk.problem else SOON


async def run() -> int:
    """One round, if it is due. Returns how many files came in; never raises VideoGenError."""
    walk = await runtime.in_db(claim)
    if walk is None:
        return 0
    problem, brought = "", 0
    try:
        brought = await _walk(walk)
        await api_health.heard_well()
    except VideoGenError as error:
        await api_health.heard_error(error)
        problem = error.message
        logger.warning("The account's files could not be listed: %s", error)
    await runtime.in_db(_finish, walk, problem)
    return brought


async def _walk(walk: AccountWalk) -> int:
    left, brought = PAGES, 0
    # Files that are new at the top are dated from now, unless this is the first walk down the whole list.
    knows_the_rest = bool(walk.cursor or walk.completed_at)
    if not knows_the_rest:
        walk.began_at, walk.position = timezone.now(), 0
    began, position, cursor = (timezone.now(), 0, None) if knows_the_rest else (walk.began_at, 0, None)
    while left:
        page = await runtime.client().list_files(cursor=cursor)
        await poll_budget.shared.spend()  # counted with everything else that we ask
        left -= 1
        new = await runtime.in_db(keep_page, page.items, began, position)
        brought, position = brought + new, position + len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            walk.cursor, walk.completed_at = "", walk.completed_at or timezone.now()
            return brought
        if knows_the_rest and not new:
            break
    else:
        # More new files than one round reads: from here on nothing is known.
        walk.cursor, walk.completed_at, walk.began_at, walk.position = cursor or "", None, began, position
        return brought
    return brought + (await _walk_on(walk, left) if walk.cursor else 0)


async def _walk_on(walk: AccountWalk, left: int) -> int:
    """The rest of the list, from where the last round left it."""
    brought = 0
    while left and walk.cursor:
        try:
            page: Page[WireFile] = await runtime.client().list_files(cursor=walk.cursor)
        except InvalidRequest:
            # The place in the list is no longer known there: the whole list is read again.
            walk.cursor, walk.completed_at = "", None
            return brought
        await poll_budget.shared.spend()
        left -= 1
        brought += await runtime.in_db(keep_page, page.items, walk.began_at or timezone.now(), walk.position)
        walk.position += len(page.items)
        if page.next_cursor == walk.cursor:
            page = Page(())
        walk.cursor = page.next_cursor or ""
        if not walk.cursor:
            walk.completed_at = timezone.now()
    return brought


def keep_page(wires: Sequence[WireFile], began: datetime, position: int) -> int:
    """Write what a page tells. Returns how many of its files are new here."""
    known = {file.remote_id: file for file in File.objects.filter(remote_id__in=[w.file_id for w in wires])}
    base = int(began.timestamp() * 1000) - position
    new = {
        wire.file_id: File(id=uuid7_at(base - place), **_columns(wire))
        for place, wire in enumerate(wires)
        if wire.file_id not in known
    }
    changed = [file for wire in wires if (file := known.get(wire.file_id)) and _differs(file, wire)]
    with transaction.atomic():
        File.objects.bulk_create(new.values(), ignore_conflicts=True)
        if changed:
            File.objects.bulk_update(changed, [*TOLD, "public_since", "public_until", "public_by", "gone_at"])
    return len(new)


def _columns(wire: WireFile) -> dict[str, Any]:
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
        "origin": Origin.ACCOUNT,
        "state": State.READY,
        "source_tool": tool.slug if tool else "",
        "public_since": timezone.now() if wire.is_public_preview_enabled else None,
    }


def _differs(file: File, wire: WireFile) -> bool:
    """Take over what is told anew; whether anything is."""
    told = {name: getattr(wire, name) for name in TOLD}
    told["display_name"] = told["display_name"][:500]
    news = {
        name: value
        for name, value in told.items()
        if value not in (None, "") and value != getattr(file, name)
    }
    # What was opened or closed elsewhere. Our own acts of the last minute may be newer than the list.
    ours_is_newer = (timezone.now() - file.updated_at).total_seconds() < 60
    if not ours_is_newer and "isPublicPreviewEnabled" in wire.raw:
        if wire.is_public_preview_enabled and file.public_since is None:
            news["public_since"] = timezone.now()
        elif not wire.is_public_preview_enabled and file.public_since is not None:
            news |= {"public_since": None, "public_until": None, "public_by_id": None}
    if file.gone_at is not None:
        news["gone_at"] = None  # it is there, whatever was heard before
    for name, value in news.items():
        setattr(file, name, value)
    return bool(news)


def _finish(walk: AccountWalk, problem: str) -> None:
    """Write how far it came, unless the lease expired meanwhile: then another process reads from the same place."""
    AccountWalk.objects.release(
        walk,
        cursor=walk.cursor,
        completed_at=walk.completed_at,
        began_at=walk.began_at,
        position=walk.position,
        ran_at=timezone.now(),
        problem=problem[:500],
    )


def seconds_until_due() -> float:
    """When the next round may begin, in seconds from now."""
    walk = state()
    if walk.ran_at is None:
        return 0.0
    return max(0.0, walk.ran_at.timestamp() + _pause(walk).total_seconds() - time.time())
