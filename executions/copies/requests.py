"""Requests for copies, their leases and their outcomes. The row is the queue."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from executions import policy
from executions.copies import storage as copy_storage
from executions.models import CopyRequest, Event, File
from executions.models.event import FileKind, Source
from executions.models.file import State
from executions.policy import Action, Actor

# A live worker renews its lease long before it expires.
LEASE = timedelta(seconds=90)
MIN_RETRY_DELAY, MAX_RETRY_DELAY = 5.0, 3600.0  # seconds
# Time after a request until failed attempts are given up. A person can request the copy again.
GIVE_UP_AFTER = timedelta(days=1)
# Other copies that are checked when one is missing.
MAX_OTHER_COPIES = 20
# Requests queued at a time if every file is copied. Each may cost a call from the budget that pages also use.
MAX_QUEUED = 20


@dataclass(frozen=True)
class StoredCopy:
    """A complete copy in the storage."""

    path: str
    sha256: str
    size: int
    mime: str
    thumbnail: str = ""


# --- requesting -------------------------------------------------------------------------------------------


def request_copy(file: File, actor: Actor) -> bool:
    """Request a copy, or retry one that was given up. False if there is a copy already or the file is not ready.

    Raises NotAllowed.
    """
    actor_id = policy.require(actor, Action.FILE_COPY, file)
    if file.copied_at is not None or file.state != State.READY:
        return False
    now = timezone.now()
    _, is_new = CopyRequest.objects.get_or_create(
        file=file, defaults={"requested_by_id": actor_id, "requested_at": now, "due_at": now}
    )
    if not is_new:
        CopyRequest.objects.filter(file=file, due_at=None).update(
            due_at=now, requested_at=now, tries=0, problem=""
        )
    return True


class CopyOutcome(StrEnum):
    """The outcome of a request for a copy."""

    REQUESTED = "requested"
    IN_PROGRESS = "in progress"
    COPIED = "copied"
    GONE = "gone"
    NOT_READY = "not ready"


def preview_outcomes(files: Sequence[File]) -> dict[uuid.UUID, CopyOutcome]:
    """The outcomes that `request_copies` would have now."""
    queued = CopyRequest.objects.filter(file__in=files, due_at__isnull=False).values_list(
        "file_id", flat=True
    )
    in_progress = set(queued)
    found = {}
    for file in files:
        if file.copied_at is not None:
            found[file.pk] = CopyOutcome.COPIED
        elif file.gone_at is not None:
            found[file.pk] = CopyOutcome.GONE
        elif file.state != State.READY:
            found[file.pk] = CopyOutcome.NOT_READY
        else:
            found[file.pk] = CopyOutcome.IN_PROGRESS if file.pk in in_progress else CopyOutcome.REQUESTED
    return found


def request_copies(files: Sequence[File], actor: Actor) -> dict[uuid.UUID, CopyOutcome]:
    """Request copies of these files where possible. Returns the outcome for each. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.FILE_COPY)
    now = timezone.now()
    with transaction.atomic():
        found = preview_outcomes(files)
        requested = [pk for pk, outcome in found.items() if outcome is CopyOutcome.REQUESTED]
        reset = {"due_at": now, "requested_at": now, "tries": 0, "problem": ""}
        CopyRequest.objects.filter(file__in=requested, due_at=None).update(**reset)
        CopyRequest.objects.bulk_create(
            (
                CopyRequest(file_id=pk, requested_by_id=actor_id, requested_at=now, due_at=now)
                for pk in requested
            ),
            ignore_conflicts=True,
        )
    return found


def request_missing() -> int:
    """Request copies of the newest files without one, up to MAX_QUEUED. Used if every file is copied."""
    room = MAX_QUEUED - CopyRequest.objects.pending()[:MAX_QUEUED].count()
    if room <= 0:
        return 0
    ids = list(File.objects.without_copy().newest_first().values_list("pk", flat=True)[:room])
    CopyRequest.objects.bulk_create([CopyRequest(file_id=pk) for pk in ids], ignore_conflicts=True)
    return len(ids)


def retry_failed(actor: Actor) -> int:
    """Retry all failed requests now, including those given up. Returns their number. Raises NotAllowed."""
    policy.require(actor, Action.COPIES_RETRY)
    now = timezone.now()
    failed = CopyRequest.objects.exclude(problem="").filter(Q(due_at=None) | Q(due_at__gt=now + LEASE))
    return failed.filter(file__gone_at=None).update(due_at=now, requested_at=now, tries=0, problem="")


# --- working ----------------------------------------------------------------------------------------------


def claim_due(limit: int) -> list[CopyRequest]:
    """Claim due requests, the longest due first. Each is claimed by one process only."""
    return CopyRequest.objects.order_by("due_at").prefetch_related("file").claim(limit, LEASE)


def renew(copy_request: CopyRequest) -> bool:
    """Renew the lease and store the progress. False if the lease was lost."""
    return CopyRequest.objects.renew(copy_request, LEASE, **_progress(copy_request))


def _progress(copy_request: CopyRequest) -> dict[str, Any]:
    return {
        "received": copy_request.received,
        "total": copy_request.total,
        "validator": copy_request.validator,
    }


def complete(copy_request: CopyRequest, copied: StoredCopy) -> bool:
    """Record a complete copy. False if the lease was lost: then its new holder records the copy."""
    now = timezone.now()
    with transaction.atomic():
        held, _ = CopyRequest.objects.held(copy_request).delete()
        if not held:
            return False
        File.objects.filter(pk=copy_request.file_id).update(
            copied_at=now,
            copy_path=copied.path,
            copy_sha256=copied.sha256,
            copy_type=copied.mime,
            copy_bytes=copied.size,
            copy_thumbnail=copied.thumbnail,
            updated_at=now,
        )
        Event.objects.create(
            file_id=copy_request.file_id,
            kind=FileKind.COPIED,
            source=Source.PERSON if copy_request.requested_by_id else Source.SYSTEM,
            actor_id=copy_request.requested_by_id,
            occurred_at=now,
            detail={"sha256": copied.sha256, "bytes": copied.size, "type": copied.mime},
        )
    return True


def record_failure(
    copy_request: CopyRequest, problem: str, *, permanent: bool = False, retry_forever: bool = False
) -> None:
    """Schedule a retry with exponential backoff, or give up after GIVE_UP_AFTER.

    `permanent`: give up now. `retry_forever`: never give up (a full disk will have space again).
    """
    now = timezone.now()
    seconds = min(MAX_RETRY_DELAY, MIN_RETRY_DELAY * 2 ** min(copy_request.tries, 20)) * random.uniform(
        0.8, 1.2
    )
    is_given_up = permanent or (not retry_forever and now - copy_request.requested_at > GIVE_UP_AFTER)
    CopyRequest.objects.release(
        copy_request,
        None if is_given_up else now + timedelta(seconds=seconds),
        tries=copy_request.tries + 1,
        problem=problem[:500],
        **_progress(copy_request),
    )


def forget_missing(file_id: uuid.UUID) -> bool:
    """Forget a copy that has disappeared from the storage, so that it can be requested again.

    Returns whether the copy was forgotten.

    A copy is not forgotten if VideoGen no longer has the file, because the record is its only trace. Nor is it
    forgotten if the storage folder seems unmounted: neither the folder of this copy nor any other copy exists.
    """
    file = File.objects.filter(pk=file_id, copied_at__isnull=False, gone_at=None).first()
    if file is None:
        return False
    others = File.objects.with_copy().exclude(pk=file_id).order_by("-id")
    is_there = copy_storage.path(file.copy_path).parent.exists() or any(
        copy_storage.path(path).exists()
        for path in others.values_list("copy_path", flat=True)[:MAX_OTHER_COPIES]
    )
    if not is_there:
        return False
    forgotten = File.objects.filter(pk=file_id, gone_at=None).update(
        copied_at=None, copy_path="", copy_sha256="", copy_type="", copy_bytes=None, copy_thumbnail=""
    )
    return bool(forgotten)


def sweep_parts() -> None:
    """Delete the parts of copies that are no longer requested, because another process has made them."""
    for part in copy_storage.parts():
        if not CopyRequest.objects.filter(file_id=part.stem).exists():
            part.unlink(missing_ok=True)


def release_all() -> int:
    """Release all leases. Only for a starting process that is certainly the only one (SQLite)."""
    return CopyRequest.objects.release_all(LEASE)
