"""Renders each change once per kind of page and audience, as HTML fragments that all such pages share.

templates/live/ defines how each kind of page shows a change, using the same partials as the page itself.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any

from django.template.loader import render_to_string

from dashboard.cards import job as job_card
from dashboard.cards.batch import batch_card, batch_page_card
from dashboard.cards.timeline import timeline
from dashboard.live.changes import Change
from executions.core import runtime
from executions.lifecycle.estimates import QueueSnapshot
from executions.models import Batch, Execution

# Fragments per frame: frames are limited to 1 MiB, and a card has a few kilobytes.
FRAGMENTS_PER_FRAME = 100
# Seconds of rendering after which finished fragments are sent.
RENDER_SLICE = 0.003
# Pages that list jobs; and the template in templates/live/ for a batch on pages that list batches.
JOB_LISTS = {"studio", "history", "rows", "gallery", "tiles"}
BATCH_LISTS = {"studio": "studio_batch", "batches": "batches"}
BATCH_KINDS = {"batch", *BATCH_LISTS.values()}
# Queue positions shift when a job leaves the queue: the Studio updates this many of them.
MAX_POSITIONS = 20
# Makes the page refetch its content.
REFETCH = "<i data-refetch></i>"


type Key = tuple[str, str, str]  # kind of page, job or batch, audience


class Rendering:
    """The HTML of one message: jobs are read once, and each fragment is rendered once."""

    def __init__(self, changes: list[Change]) -> None:
        self.changes = {change.id: change for change in changes}
        self._cards: dict[str, job_card.Card] | None = None
        self._made: dict[Key, str] = {}
        self._snapshot = QueueSnapshot()

    def keys(self, topic: str, user: Any) -> list[Key]:
        """The fragments for a page of `user` with this topic: the changed jobs and batches it shows, each once."""
        kind, _, wanted = topic.partition(":")
        if any(change.is_queue_wide for change in self.changes.values()):
            return [("refetch", "", "")]
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
        """The fragments for queue positions on a page, which change when any job enters or leaves the queue."""
        if not any(change.affects_queue for change in self.changes.values()):
            return []
        match kind:
            case "queue":
                return [("refetch", "", "")]
            case "studio":
                return [("places", "", "")]
            case "job" if wanted not in self.changes:
                return [("places", wanted, "")]
        return []

    async def make(self, keys: Sequence[Key]) -> Sequence[Key]:
        """Render some of these fragments, for about RENDER_SLICE seconds; returns the remaining ones.

        Pages whose fragments are ready need not wait for others. A thread hop costs about a third of a fragment, so
        several are rendered per hop.
        """
        return await runtime.in_reader(self._make, keys)

    def has(self, keys: Iterable[Key]) -> bool:
        return all(key in self._made for key in keys)

    def frames(self, keys: Iterable[Key]) -> list[str]:
        """The frames to send to a page with these fragments, which `make` has rendered."""
        parts = [self._made[key] for key in keys]
        frames = ("".join(some) for some in batched(parts, FRAGMENTS_PER_FRAME, strict=False))
        return [frame for frame in frames if frame]

    async def count(self) -> str:
        """The number of jobs in flight for the navigation of every page; empty if it cannot have changed."""
        if any(change.created or change.ended for change in self.changes.values()):
            return await runtime.in_reader(_count)
        return ""

    def _make(self, keys: Sequence[Key]) -> Sequence[Key]:
        if self._cards is None:
            jobs = Execution.objects.for_cards().in_bulk(list(filter(None, self.changes)))
            self._cards = {
                str(pk): job_card.card(job, job_card.TEAM, self._snapshot) for pk, job in jobs.items()
            }
        until = time.perf_counter() + RENDER_SLICE
        for place, key in enumerate(keys, start=1):
            self._made[key] = self._fragment(*key)
            if time.perf_counter() >= until:
                return keys[place:]
        return ()

    def _fragment(self, kind: str, thing: str, audience: str) -> str:
        assert self._cards is not None
        if kind == "refetch":
            return REFETCH
        if kind == "places":
            return places(thing, self._snapshot)
        if kind in BATCH_KINDS:
            return batch_fragment(kind, uuid.UUID(thing), audience)
        card = self._cards.get(thing)
        return fragment(kind, card.seen_by(audience), self.changes[thing]) if card else ""


def _count() -> str:
    return render_to_string(
        "shared/_in_flight_count.html", {"in_flight": Execution.objects.in_flight().count(), "oob": True}
    )


def places(job_id: str, snapshot: QueueSnapshot) -> str:
    """The queue position of the job, or for an empty id those of the first single jobs."""
    line = Execution.objects.send_queue().for_cards()
    moved = line.filter(pk=job_id) if job_id else line.single()[:MAX_POSITIONS]
    shown = [job_card.card(job, job_card.TEAM, snapshot) for job in moved]
    return "".join(
        render_to_string("executions/_queue_position.html", {"card": card, "oob": True}).strip()
        for card in shown
    )


def fragment(kind: str, card: job_card.Card, change: Change) -> str:
    """The HTML that a page of this kind receives for a changed job, from templates/live/."""
    context: dict[str, Any] = {"card": card, "change": change}
    if kind == "job":
        context["timeline"] = timeline(card.execution, card.audience)
    # Templates without output leave a line break; stripped, no frame is sent.
    return render_to_string(f"live/{kind}.html", context).strip()


def batch_fragment(kind: str, batch_id: uuid.UUID, audience: str) -> str:
    """The HTML that a page of this kind receives for a batch with changed jobs."""
    batch = Batch.objects.select_related("created_by").filter(pk=batch_id).first()
    if batch is None:
        return ""
    card = batch_page_card(batch, audience) if kind == "batch" else batch_card(batch, audience)
    return render_to_string(f"live/{kind}.html", {"batch": card}).strip()


def fragments(kinds: Iterable[str], job_id: uuid.UUID, user: Any, from_status: str = "") -> str:
    """The same HTML for the response to a person's own action, so that it does not depend on the socket.

    `from_status` is the job's status before the action; empty if the action created the job.
    """
    job = Execution.objects.for_cards().get(pk=job_id)
    change = Change(str(job_id), job.created_by_id, from_status == "", from_status, job.status)
    card = job_card.card(job, job_card.audience(user, job.created_by_id))
    return "".join(fragment(kind, card, change) for kind in kinds)
