"""What people do with files: archive and bring back, open to the public and close, search by meaning.

Each act writes one event, in the transaction of the change.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.files.store import keep_file
from executions.limits import api_health
from executions.models import Event, Execution, File
from executions.models.event import FileKind, Source
from executions.policy import Action, Actor
from executions.videogen import AnswerLost, NotFound, SearchHit, ServerError, VideoGenError

# VideoGen's API hides a file for good. It is told only after this time, so that until then undo is whole.
UNDO = timedelta(minutes=10)
FOUND_MOST = 50
REMEMBERED = 60  # seconds that a search's answer is good for: 500 an hour are allowed
LONGEST_QUERY = 500


# --- archive ----------------------------------------------------------------------------------------------


def archive(file: File, actor: Actor, reason: str = "", result_of: Execution | None = None) -> bool:
    """Out of the library. False when it was archived before. `reason` is kept with the event, if there is one.

    The results of a job (`result_of`) are archived by those who may do that with the job. Raises NotAllowed.
    """
    if result_of is not None:
        actor_id = policy.require(actor, Action.JOB_ARCHIVE_RESULTS, result_of)
    else:
        actor_id = policy.require(actor, Action.FILE_ARCHIVE, file)
    now = timezone.now()
    with transaction.atomic():
        changed = File.objects.filter(pk=file.pk, archived_at=None).update(archived_at=now, next_look_at=now)
        if changed:
            detail = {"reason": reason} if reason else {}
            _write(file, FileKind.ARCHIVED, actor_id, now, **detail)
    return bool(changed)


def restore(file: File, actor: Actor) -> bool:
    """Back into the library. False when it was there. What VideoGen hides in the meantime it goes on hiding."""
    actor_id = policy.require(actor, Action.FILE_RESTORE, file)
    now = timezone.now()
    with transaction.atomic():
        changed = File.objects.filter(pk=file.pk, archived_at__isnull=False).update(
            archived_at=None, next_look_at=now
        )
        if changed:
            _write(
                file, FileKind.RESTORED, actor_id, now, hidden_at_videogen=file.archive_told_at is not None
            )
    return bool(changed)


async def tell_archived(file: File) -> None:
    """The time for undo is over. Raises VideoGenError; asking twice does no harm."""
    with suppress(NotFound):
        await runtime.client().archive_file(file.remote_id)
    await runtime.in_db(
        File.objects.filter(pk=file.pk, archived_at__isnull=False).update, archive_told_at=timezone.now()
    )


# --- the public preview -----------------------------------------------------------------------------------


async def publish(file: File, until: datetime | None, actor: Actor) -> None:
    """Open it to anybody with the link, until then. Raises VideoGenError, and then it is as it was.

    The register names it before VideoGen is asked: what may be public is in the register at every moment.
    """
    actor_id = await runtime.in_db(policy.require, actor, Action.FILE_PUBLISH, file)
    before = await runtime.in_db(_opening, file, until, actor_id)
    try:
        wire = await runtime.client().set_public_preview(file.remote_id, True)
    except (AnswerLost, ServerError) as error:
        # It may be open now. The register goes on naming it, until somebody or its day closes it.
        await runtime.in_db(_opened, file, until, actor_id, was_public=before is not None)
        await api_health.record_error(error)
        raise
    except VideoGenError as error:
        await runtime.in_db(_not_opened, file, before)
        await api_health.record_error(error)
        raise
    await runtime.in_db(keep_file, wire)
    await runtime.in_db(_opened, file, until, actor_id, was_public=before is not None)


type Opened = tuple[datetime | None, datetime | None, int | None]


def _opening(file: File, until: datetime | None, actor_id: int | None) -> Opened | None:
    """What the register said before; None when the file was not public."""
    now = timezone.now()
    with transaction.atomic():
        row = File.objects.select_for_update().get(pk=file.pk)
        before = (row.public_since, row.public_until, row.public_by_id) if row.public_since else None
        File.objects.filter(pk=file.pk).update(
            public_since=row.public_since or now,
            public_by=row.public_by_id if before else actor_id,
            public_until=until,
            # Soon: a playback id may come later than the yes.
            next_look_at=now + timedelta(seconds=5),
            looks=0,
            updated_at=now,
        )
    return before


def _not_opened(file: File, before: Opened | None) -> None:
    since, until, by = before or (None, None, None)
    File.objects.filter(pk=file.pk).update(public_since=since, public_until=until, public_by=by)


def _opened(file: File, until: datetime | None, actor_id: int | None, was_public: bool) -> None:
    detail = {"until": until.isoformat() if until else None, "changed": was_public}
    _write(file, FileKind.PUBLISHED, actor_id, timezone.now(), **detail)


async def withdraw(file: File, actor: Actor) -> None:
    """Close it again; by Rushes itself when its day has come. Raises VideoGenError, and then it may still be open."""
    actor_id = await runtime.in_db(policy.require, actor, Action.FILE_WITHDRAW, file)
    try:
        wire = await runtime.client().set_public_preview(file.remote_id, False)
    except NotFound:
        pass
    except VideoGenError as error:
        await api_health.record_error(error)
        raise
    else:
        await runtime.in_db(keep_file, wire)
    await runtime.in_db(_closed, file, actor_id)


def _closed(file: File, actor_id: int | None) -> None:
    with transaction.atomic():
        changed = File.objects.filter(pk=file.pk, public_since__isnull=False).update(
            public_since=None, public_until=None, public_by=None
        )
        if changed:
            _write(file, FileKind.WITHDRAWN, actor_id, timezone.now())


def note(file: File, kind: FileKind, actor: Actor, **detail: object) -> None:
    """Write down that somebody looked where it matters: took the file home, or its public link."""
    _write(file, kind, policy.require(actor, Action.FILE_TAKE, file), timezone.now(), **detail)


def _write(file: File, kind: FileKind, actor_id: int | None, at: datetime, **detail: object) -> None:
    source = Source.PERSON if actor_id is not None else Source.SYSTEM
    Event.objects.create(
        file=file, kind=kind, source=source, actor_id=actor_id, occurred_at=at, detail=detail
    )


# --- search by meaning ------------------------------------------------------------------------------------


async def search(words: str) -> dict[str, float]:
    """How similar the account's files are to what is meant, by VideoGen's id, best first. Raises VideoGenError.

    Files that the library did not know yet are in it afterwards.
    """
    words = words[:LONGEST_QUERY]
    key = f"files:meaning:{hashlib.sha256(words.encode('utf-8', 'replace')).hexdigest()}"
    found: dict[str, float] | None = await runtime.in_reader(cache.get, key)
    if found is not None:
        return found
    try:
        hits = await runtime.client().search_files(words, limit=FOUND_MOST)
    except VideoGenError as error:
        await api_health.record_error(error)
        raise
    await runtime.in_db(_keep_unknown, hits)
    found = {hit.file.file_id: hit.similarity for hit in hits}
    await runtime.in_db(cache.set, key, found, REMEMBERED)
    return found


def _keep_unknown(hits: list[SearchHit]) -> None:
    known = set(
        File.objects.filter(remote_id__in=[hit.file.file_id for hit in hits]).values_list(
            "remote_id", flat=True
        )
    )
    for hit in hits:
        if hit.file.file_id not in known:
            keep_file(hit.file)
