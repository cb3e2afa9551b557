"""Actions on files: archive and restore, publish and withdraw the public preview, semantic search.

Each change writes one event in the same transaction.
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
from executions.files.store import store_file
from executions.limits import api_health
from executions.models import Event, Execution, File
from executions.models.event import FileKind, Source
from executions.policy import Action, Actor
from executions.videogen import NotFound, ResponseLost, SearchHit, ServerError, VideoGenError

# VideoGen's API cannot undo an archive, so it is called only after this time. A file that is restored before then is
# fully restored.
UNDO_WINDOW = timedelta(minutes=10)
SEARCH_LIMIT = 50
CACHE_TTL = 60  # seconds that a search is cached: VideoGen allows 500 per hour
MAX_QUERY_LENGTH = 500


# --- archive ----------------------------------------------------------------------------------------------


def archive(file: File, actor: Actor, reason: str = "", result_of: Execution | None = None) -> bool:
    """Hide the file from the library; False if it was archived already. A `reason` is stored with the event.

    With `result_of`, the permission is that of archiving the job's results. Raises NotAllowed.
    """
    if result_of is not None:
        actor_id = policy.require(actor, Action.JOB_ARCHIVE_RESULTS, result_of)
    else:
        actor_id = policy.require(actor, Action.FILE_ARCHIVE, file)
    now = timezone.now()
    with transaction.atomic():
        changed = File.objects.filter(pk=file.pk, archived_at=None).update(archived_at=now, next_poll_at=now)
        if changed:
            detail = {"reason": reason} if reason else {}
            _write(file, FileKind.ARCHIVED, actor_id, now, **detail)
    return bool(changed)


def restore(file: File, actor: Actor) -> bool:
    """Show the file in the library again; False if it was not archived.

    If VideoGen was already asked to hide the file, it remains hidden there.
    """
    actor_id = policy.require(actor, Action.FILE_RESTORE, file)
    now = timezone.now()
    with transaction.atomic():
        changed = File.objects.filter(pk=file.pk, archived_at__isnull=False).update(
            archived_at=None, next_poll_at=now
        )
        if changed:
            _write(
                file,
                FileKind.RESTORED,
                actor_id,
                now,
                hidden_at_videogen=file.archive_reported_at is not None,
            )
    return bool(changed)


async def hide_at_videogen(file: File) -> None:
    """Archive the file at VideoGen, once the undo window is over. Idempotent. Raises VideoGenError."""
    with suppress(NotFound):
        await runtime.client().archive_file(file.remote_id)
    await runtime.in_db(
        File.objects.filter(pk=file.pk, archived_at__isnull=False).update, archive_reported_at=timezone.now()
    )


# --- the public preview -----------------------------------------------------------------------------------


async def publish(file: File, until: datetime | None, actor: Actor) -> None:
    """Let anyone with the link view the file until then. Raises VideoGenError.

    After an error the file is as public as before. If the outcome is unknown (ResponseLost, ServerError), it stays
    listed as public.

    The file is marked as public before VideoGen is called, so that every file that may be public is listed.
    """
    actor_id = await runtime.in_db(policy.require, actor, Action.FILE_PUBLISH, file)
    before = await runtime.in_db(_mark_public, file, until, actor_id)
    try:
        wire = await runtime.client().set_public_preview(file.remote_id, True)
    except (ResponseLost, ServerError) as error:
        # It may be public now. It stays listed until a person withdraws it or it expires.
        await runtime.in_db(_record_published, file, until, actor_id, was_public=before is not None)
        await api_health.record_error(error)
        raise
    except VideoGenError as error:
        await runtime.in_db(_revert_public, file, before)
        await api_health.record_error(error)
        raise
    await runtime.in_db(store_file, wire)
    await runtime.in_db(_record_published, file, until, actor_id, was_public=before is not None)


type PublicState = tuple[datetime | None, datetime | None, int | None]  # since, until, the person's id


def _mark_public(file: File, until: datetime | None, actor_id: int | None) -> PublicState | None:
    """Mark the file as public, and return its state before; None if it was not public."""
    now = timezone.now()
    with transaction.atomic():
        row = File.objects.select_for_update().get(pk=file.pk)
        before = (row.public_since, row.public_until, row.public_by_id) if row.public_since else None
        File.objects.filter(pk=file.pk).update(
            public_since=row.public_since or now,
            public_by=row.public_by_id if before else actor_id,
            public_until=until,
            # Poll soon: the playback id may follow after the confirmation.
            next_poll_at=now + timedelta(seconds=5),
            polls=0,
            updated_at=now,
        )
    return before


def _revert_public(file: File, before: PublicState | None) -> None:
    since, until, by = before or (None, None, None)
    File.objects.filter(pk=file.pk).update(public_since=since, public_until=until, public_by=by)


def _record_published(file: File, until: datetime | None, actor_id: int | None, was_public: bool) -> None:
    detail = {"until": until.isoformat() if until else None, "changed": was_public}
    _write(file, FileKind.PUBLISHED, actor_id, timezone.now(), **detail)


async def withdraw(file: File, actor: Actor) -> None:
    """Withdraw the public preview; Rushes itself does so when it expires.

    Raises VideoGenError; the file may then still be public.
    """
    actor_id = await runtime.in_db(policy.require, actor, Action.FILE_WITHDRAW, file)
    try:
        wire = await runtime.client().set_public_preview(file.remote_id, False)
    except NotFound:
        pass
    except VideoGenError as error:
        await api_health.record_error(error)
        raise
    else:
        await runtime.in_db(store_file, wire)
    await runtime.in_db(_mark_withdrawn, file, actor_id)


def _mark_withdrawn(file: File, actor_id: int | None) -> None:
    with transaction.atomic():
        changed = File.objects.filter(pk=file.pk, public_since__isnull=False).update(
            public_since=None, public_until=None, public_by=None
        )
        if changed:
            _write(file, FileKind.WITHDRAWN, actor_id, timezone.now())


def record_access(file: File, kind: FileKind, actor: Actor, **detail: object) -> None:
    """Record that a person downloaded the file or copied its public link. Raises NotAllowed."""
    _write(file, kind, policy.require(actor, Action.FILE_DOWNLOAD, file), timezone.now(), **detail)


def _write(file: File, kind: FileKind, actor_id: int | None, at: datetime, **detail: object) -> None:
    source = Source.PERSON if actor_id is not None else Source.SYSTEM
    Event.objects.create(
        file=file, kind=kind, source=source, actor_id=actor_id, occurred_at=at, detail=detail
    )


# --- semantic search --------------------------------------------------------------------------------------


async def search(words: str) -> dict[str, float]:
    """The similarity of the account's files to the meaning of `words`, by VideoGen's id, best first.

    Imports files that the library does not know yet. Raises VideoGenError.
    """
    words = words[:MAX_QUERY_LENGTH]
    key = f"files:meaning:{hashlib.sha256(words.encode('utf-8', 'replace')).hexdigest()}"
    found: dict[str, float] | None = await runtime.in_reader(cache.get, key)
    if found is not None:
        return found
    try:
        hits = await runtime.client().search_files(words, limit=SEARCH_LIMIT)
    except VideoGenError as error:
        await api_health.record_error(error)
        raise
    await runtime.in_db(_import_unknown, hits)
    found = {hit.file.file_id: hit.similarity for hit in hits}
    await runtime.in_db(cache.set, key, found, CACHE_TTL)
    return found


def _import_unknown(hits: list[SearchHit]) -> None:
    known = set(
        File.objects.filter(remote_id__in=[hit.file.file_id for hit in hits]).values_list(
            "remote_id", flat=True
        )
    )
    for hit in hits:
        if hit.file.file_id not in known:
            store_file(hit.file)
