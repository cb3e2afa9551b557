"""Tells pages what changed: from the domain's signal to one rendering that every connected page shares.

The channel layer carries only which jobs changed. Each server process renders them once for each kind of
viewer that is connected, and hands the same HTML to all of them (dashboard/live/fanout.py). A message may be lost:
pages refetch what they show whenever their socket opens.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import batched
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.template.loader import render_to_string

from dashboard.cards import job as job_card
from dashboard.cards.batch import batch_card
from dashboard.cards.timeline import timeline
from executions import statuses
from executions.core import runtime
from executions.lifecycle.estimates import Waits
from executions.models import Batch, Execution
from executions.signals import execution_changed, queue_changed

logger = logging.getLogger(__name__)

GROUP = "live"
# Fragments in one frame: the server takes frames of 1 MiB at most, and a card is some kilobytes.
AT_ONCE = 100
# Seconds that fragments are rendered for before the pages get what there is.
MOMENT = 0.003
# Pages that list jobs, and what those that list batches call a batch in templates/live/.
JOB_LISTS = {"studio", "history", "rows", "gallery", "tiles"}
BATCH_LISTS = {"studio": "studio_batch", "batches": "batches"}
BATCH_KINDS = {"batch", *BATCH_LISTS.values()}
# Whoever waits moves up when somebody before them leaves: so many places are told to a page of the studio.
PLACES = 20
# The page asks again for what it shows.
ASK = "<i data-ask></i>"


@dataclass
class Change:
    """A job that changed; several changes of one job become one, from its first status to its last."""

    id: str
    owner_id: int | None
    created: bool
    from_status: str
    to_status: str
    batch_id: str | None = None

    @property
    def ended(self) -> bool:
        return self.to_status in statuses.TERMINAL and self.from_status not in statuses.TERMINAL

    @property
    def is_of_all(self) -> bool:
        """The queue as a whole changed, no job of its own."""
        return not self.id

    @property
    def moves_the_queue(self) -> bool:
        return statuses.QUEUED in (self.from_status, self.to_status)

    def joined(self, later: Change) -> Change:
        return replace(self, created=self.created or later.created, to_status=later.to_status)


def join(waiting: dict[str, Change], change: Change) -> None:
    """Add a change to those that wait; a job has one."""
    earlier = waiting.get(change.id)
    waiting[change.id] = earlier.joined(change) if earlier else change


class Broadcaster:
    """Collects changes in the process's loop, and sends them on; what comes while one message is sent goes with the next."""

    def __init__(self) -> None:
        self._waiting: dict[str, Change] = {}
        self._sender: asyncio.Task[None] | None = None

    def note(self, change: Change) -> None:
        join(self._waiting, change)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            changes, self._waiting = list(self._waiting.values()), {}
            try:
                await publish(changes)
            except Exception as error:
                # Pages that miss this find out by themselves: the work goes on.
                logger.warning("Live updates could not be sent: %s", error)


broadcaster = Broadcaster()


async def publish(changes: Iterable[Change]) -> None:
    message = {
        "type": "live.changes",
        "changes": [asdict(change) for change in changes],
    }
    await get_channel_layer().group_send(GROUP, message)


def listen() -> None:
    execution_changed.connect(on_change, dispatch_uid="dashboard.live.updates")
    queue_changed.connect(on_queue, dispatch_uid="dashboard.live.updates")


def on_change(
    *,
    execution_id: uuid.UUID,
    created: bool,
    from_status: str,
    to_status: str,
    owner_id: int | None,
    batch_id: uuid.UUID | None = None,
    **_: Any,
) -> None:
    """Runs after the commit, in whichever thread made the change."""
    change = Change(
        str(execution_id), owner_id, created, from_status, to_status, str(batch_id) if batch_id else None
    )
    _note(change)


def on_queue(**_: Any) -> None:
    _note(Change("", None, False, statuses.QUEUED, statuses.QUEUED))


def _note(change: Change) -> None:
    loop = runtime.attached_loop()
    if loop is not None:
        # The fast way into the loop; async_to_sync here would wait for something else to wake it.
        loop.call_soon_threadsafe(broadcaster.note, change)
    elif settings.REDIS_URL:
        # A command without a loop: the servers' pages still hear of it.
        try:
            async_to_sync(publish)([change])
        except Exception as error:
            logger.warning("Live updates could not be sent: %s", error)


# --- what one message looks like on a page ----------------------------------------------------------------


type Key = tuple[str, str, str]  # kind of page, job or batch, audience


class Rendering:
    """One message's HTML in this process: the jobs are read once, each fragment is rendered once."""

    def __init__(self, changes: list[Change]) -> None:
        self.changes = {change.id: change for change in changes}
        self._cards: dict[str, job_card.Card] | None = None
        self._made: dict[Key, str] = {}
        self._waits = Waits()

    def keys(self, topic: str, user: Any) -> list[Key]:
        """The fragments for a page of `user` that shows `topic`: its jobs, and their batches, each once."""
        kind, _, wanted = topic.partition(":")
        if any(change.is_of_all for change in self.changes.values()):
            return [("ask", "", "")]
        jobs: list[Key] = []
        batches: dict[str, str] = {}
        for change in self.changes.values():
            audience = job_card.audience(user, change.owner_id)
            in_batch = kind == "batch" and change.batch_id == wanted
            if in_batch or (change.batch_id and kind in BATCH_LISTS):
                batches[str(change.batch_id)] = audience
            if in_batch:
                jobs.append(("rows", change.id, audience))
            elif kind in JOB_LISTS or (kind == "job" and change.id == wanted):
                jobs.append((kind, change.id, audience))
        lines = [(BATCH_LISTS.get(kind, kind), each, audience) for each, audience in batches.items()]
        return jobs + lines + self._moved(kind, wanted)

    def _moved(self, kind: str, wanted: str) -> list[Key]:
        """What a page shows of the queue, where jobs that it may not show came or left."""
        if not any(change.moves_the_queue for change in self.changes.values()):
            return []
        match kind:
            case "queue":
                return [("ask", "", "")]
            case "studio":
                return [("places", "", "")]
            case "job" if wanted not in self.changes:
                return [("places", wanted, "")]
        return []

    async def make(self, keys: Sequence[Key]) -> Sequence[Key]:
        """Render the first of these fragments, for a moment; returns those that are left.

        Pages whose fragments are made need not wait for those of others. Each way through a thread costs about a
        third of a fragment, so several are made on one.
        """
        return await runtime.in_reader(self._make, keys)

    def has(self, keys: Iterable[Key]) -> bool:
        return all(key in self._made for key in keys)

    def frames(self, keys: Iterable[Key]) -> list[str]:
        """What to send to a page with these fragments, after `make`; several frames, each parsed by itself."""
        parts = [self._made[key] for key in keys]
        frames = ("".join(some) for some in batched(parts, AT_ONCE, strict=False))
        return [frame for frame in frames if frame]

    async def count(self) -> str:
        """The number of jobs in flight for every page's navigation; empty when it cannot have changed."""
        if any(change.created or change.ended for change in self.changes.values()):
            return await runtime.in_reader(_count)
        return ""

    def _make(self, keys: Sequence[Key]) -> Sequence[Key]:
        if self._cards is None:
            jobs = Execution.objects.for_cards().filter(pk__in=[each for each in self.changes if each])
            self._cards = {str(job.pk): job_card.card(job, job_card.TEAM, self._waits) for job in jobs}
        until = time.perf_counter() + MOMENT
        for place, key in enumerate(keys, start=1):
            self._made[key] = self._fragment(*key)
            if time.perf_counter() >= until:
                return keys[place:]
        return ()

    def _fragment(self, kind: str, thing: str, audience: str) -> str:
        assert self._cards is not None
        if kind == "ask":
            return ASK
        if kind == "places":
            return places(thing, self._waits)
        if kind in BATCH_KINDS:
            return batch_fragment(kind, uuid.UUID(thing), audience)
        card = self._cards.get(thing)
        return fragment(kind, card.seen_by(audience), self.changes[thing]) if card else ""


def _count() -> str:
    return render_to_string(
        "_in_flight.html", {"in_flight": Execution.objects.in_flight().count(), "oob": True}
    )


def places(job_id: str, waits: Waits) -> str:
    """Where the job stands now, or (empty id) where the first single jobs stand."""
    line = Execution.objects.in_line().for_cards()
    moved = line.filter(pk=job_id) if job_id else line.filter(batch=None)[:PLACES]
    shown = [job_card.card(job, job_card.TEAM, waits) for job in moved]
    return "".join(
        render_to_string("executions/_place.html", {"card": card, "oob": True}).strip() for card in shown
    )


def fragment(kind: str, card: job_card.Card, change: Change) -> str:
    """What a page of this kind does about a changed job: templates/live/ says it for each."""
    context: dict[str, Any] = {"card": card, "change": change}
    if kind == "job":
        context["timeline"] = timeline(card.execution, card.audience)
    # A template that has nothing to say leaves its last line break: no frame is sent for that.
    return render_to_string(f"live/{kind}.html", context).strip()


def batch_fragment(kind: str, batch_id: uuid.UUID, audience: str) -> str:
    """What a page of this kind does about a batch some of whose jobs changed."""
    batch = Batch.objects.select_related("created_by").filter(pk=batch_id).first()
    if batch is None:
        return ""
    return render_to_string(f"live/{kind}.html", {"batch": batch_card(batch, audience)}).strip()


def fragments(kinds: Iterable[str], job_id: uuid.UUID, user: Any, from_status: str = "") -> str:
    """The same for one person's own act, in the answer to it: it does not wait for the socket.

    `from_status` is the job's status before the act; empty when the act made the job.
    """
    job = Execution.objects.for_cards().get(pk=job_id)
    change = Change(str(job_id), job.created_by_id, from_status == "", from_status, job.status)
    card = job_card.card(job, job_card.audience(user, job.created_by_id))
    return "".join(fragment(kind, card, change) for kind in kinds)
