"""Which copies are wanted, who makes one right now, and what came of it. The row is the queue."""

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
from executions.models import Event, File, Keeping
from executions.models.event import FileKind, Source
from executions.models.file import State
from executions.policy import Action, Actor

# A worker that lives renews its claim long before it ends.
CLAIM = timedelta(seconds=90)
FIRST, LONGEST = 5.0, 3600.0  # seconds until it is tried again
# A copy that VideoGen has not let us make for so long is given up; a person may ask again.
PATIENCE = timedelta(days=1)
# Other copies that are looked for where one is missing.
WITNESSES = 20
# Where every file is kept: how many at most wait at a time. Each may cost a call that the links of pages need too.
WAITING = 20


@dataclass(frozen=True)
class Copied:
    """A complete copy in the storage."""

    path: str
    sha256: str
    size: int
    mime: str
    thumbnail: str = ""


# --- asking -----------------------------------------------------------------------------------------------


def ask(file: File, actor: Actor) -> bool:
    """A copy of this file is wanted; False where there is one. One that was given up is begun anew."""
    actor_id = policy.require(actor, Action.FILE_COPY, file)
    if file.kept_at is not None or file.state != State.READY:
        return False
    now = timezone.now()
    _, is_new = Keeping.objects.get_or_create(
        file=file, defaults={"asked_by_id": actor_id, "asked_at": now, "due_at": now}
    )
    if not is_new:
        Keeping.objects.filter(file=file, due_at=None).update(due_at=now, asked_at=now, tries=0, problem="")
    return True


class Outcome(StrEnum):
    """What the wish for a copy leads to."""

    ASKED = "asked"
    ON_ITS_WAY = "on its way"
    KEPT = "kept"
    GONE = "gone"
    NOT_READY = "not ready"


def outlook(files: Sequence[File]) -> dict[uuid.UUID, Outcome]:
    """What asking for a copy of each would lead to, now."""
    waiting = Keeping.objects.filter(file__in=files, due_at__isnull=False).values_list("file_id", flat=True)
    on_their_way = set(waiting)
    found = {}
    for file in files:
        if file.kept_at is not None:
            found[file.pk] = Outcome.KEPT
        elif file.gone_at is not None:
            found[file.pk] = Outcome.GONE
        elif file.state != State.READY:
            found[file.pk] = Outcome.NOT_READY
        else:
            found[file.pk] = Outcome.ON_ITS_WAY if file.pk in on_their_way else Outcome.ASKED
    return found


def ask_for(files: Sequence[File], actor: Actor) -> dict[uuid.UUID, Outcome]:
    """Copies of all these are wanted, as far as that makes sense: what became of each wish."""
    actor_id = policy.require(actor, Action.FILE_COPY)
    now = timezone.now()
    with transaction.atomic():
        found = outlook(files)
        asked = [pk for pk, outcome in found.items() if outcome is Outcome.ASKED]
        begun_anew = {"due_at": now, "asked_at": now, "tries": 0, "problem": ""}
        Keeping.objects.filter(file__in=asked, due_at=None).update(**begun_anew)
        Keeping.objects.bulk_create(
            (Keeping(file_id=pk, asked_by_id=actor_id, asked_at=now, due_at=now) for pk in asked),
            ignore_conflicts=True,
        )
    return found


def ask_for_more() -> int:
    """Every file is to be kept: ask for the newest that have no copy yet, while few are waiting."""
    room = WAITING - Keeping.objects.filter(due_at__isnull=False)[:WAITING].count()
    if room <= 0:
        return 0
    ids = list(File.objects.without_copy().newest_first().values_list("pk", flat=True)[:room])
    Keeping.objects.bulk_create([Keeping(file_id=pk) for pk in ids], ignore_conflicts=True)
    return len(ids)


def ask_again(actor: Actor) -> int:
    """Begin anew with all that was given up or waits after a failure."""
    policy.require(actor, Action.COPIES_RETRY)
    now = timezone.now()
    failed = Keeping.objects.exclude(problem="").filter(Q(due_at=None) | Q(due_at__gt=now + CLAIM))
    return failed.filter(file__gone_at=None).update(due_at=now, asked_at=now, tries=0, problem="")


# --- working ----------------------------------------------------------------------------------------------


def claim_due(limit: int) -> list[Keeping]:
    """Take what is due, the longest waiting first. Of any number of processes one gets each."""
    return Keeping.objects.order_by("due_at").prefetch_related("file").claim(limit, CLAIM)


def renew(mine: Keeping) -> bool:
    """Say that the work goes on, and how far it is. False where the claim is no longer ours."""
    return Keeping.objects.renew(mine, CLAIM, **_progress(mine))


def _progress(mine: Keeping) -> dict[str, Any]:
    return {"received": mine.received, "total": mine.total, "validator": mine.validator}


def done(mine: Keeping, copied: Copied) -> bool:
    """The copy is complete. False where the claim is no longer ours: then whoever has it says so."""
    now = timezone.now()
    with transaction.atomic():
        held, _ = Keeping.objects.held(mine).delete()
        if not held:
            return False
        File.objects.filter(pk=mine.file_id).update(
            kept_at=now,
            kept_path=copied.path,
            kept_sha256=copied.sha256,
            kept_type=copied.mime,
            kept_bytes=copied.size,
            kept_thumbnail=copied.thumbnail,
            updated_at=now,
        )
        Event.objects.create(
            file_id=mine.file_id,
            kind=FileKind.COPIED,
            source=Source.PERSON if mine.asked_by_id else Source.SYSTEM,
            actor_id=mine.asked_by_id,
            occurred_at=now,
            detail={"sha256": copied.sha256, "bytes": copied.size, "type": copied.mime},
        )
    return True


def failed(mine: Keeping, problem: str, *, hopeless: bool = False, patient: bool = False) -> None:
    """Try again later, each time later; never, if `hopeless`; without end, if `patient` (a full disk gets room)."""
    now = timezone.now()
    seconds = min(LONGEST, FIRST * 2 ** min(mine.tries, 20)) * random.uniform(0.8, 1.2)
    over = hopeless or (not patient and now - mine.asked_at > PATIENCE)
    Keeping.objects.release(
        mine,
        None if over else now + timedelta(seconds=seconds),
        tries=mine.tries + 1,
        problem=problem[:500],
        **_progress(mine),
    )


def lost(file_id: uuid.UUID) -> bool:
    """The copy is not where it was put: it counts as not there, and may be asked for again. False where it stays noted.

    That is so while VideoGen has the file no more, and this is the only trace of it; and where the folder is away, and
    will come back: then neither the place of this one is there nor any other copy.
    """
    file = File.objects.filter(pk=file_id, kept_at__isnull=False, gone_at=None).first()
    if file is None:
        return False
    others = File.objects.filter(kept_at__isnull=False).exclude(pk=file_id).order_by("-id")
    is_there = copy_storage.path(file.kept_path).parent.exists() or any(
        copy_storage.path(path).exists() for path in others.values_list("kept_path", flat=True)[:WITNESSES]
    )
    if not is_there:
        return False
    forgotten = File.objects.filter(pk=file_id, gone_at=None).update(
        kept_at=None, kept_path="", kept_sha256="", kept_type="", kept_bytes=None, kept_thumbnail=""
    )
    return bool(forgotten)


def sweep_parts() -> None:
    """Remove parts of copies that nobody waits for any more: another process has made them."""
    for part in copy_storage.parts():
        if not Keeping.objects.filter(file_id=part.stem).exists():
            part.unlink(missing_ok=True)


def release_all() -> int:
    """Free every claim. Only for a process that knows to be alone, when it starts (SQLite)."""
    return Keeping.objects.release_all(CLAIM)
