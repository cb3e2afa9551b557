"""Walks the chain from its beginning to its head, some thousand events at a time, and says where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from executions.audit import summaries, triggers
from executions.audit.hash_chain import COLUMNS, Head, digest, pruned_head
from executions.models import Event, Verification

CHUNK = 5000


class Broken(Exception):
    """The chain does not hold; the message names the first event where it does not."""

    def __init__(self, message: str, after: Head) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Finding:
    head: Head
    """The last event that holds."""
    problem: str
    """In words; empty when everything holds."""


type Link = tuple[int, str, str, tuple[Any, ...]]  # position, previous hash, hash, what the event says


def walk(start: Head) -> Iterator[list[Link]]:
    """The sealed events behind `start` in the chain's order, chunk by chunk, each checked. Raises Broken.

    No cursor is held between two chunks: they may be taken in different threads.
    """
    position, previous = start.position, start.hash
    while True:
        rows = Event.objects.sealed().filter(position__gt=position).order_by("position")
        found = list(rows.values_list("position", "previous_hash", "hash", *COLUMNS)[:CHUNK])
        chunk: list[Link] = []
        for its_position, its_previous, its_hash, *said in found:
            before = Head(position, previous)
            if its_position != position + 1:
                raise Broken(f"Position {position + 1} is missing: the next one is event {said[0]} at {its_position}.", before)  # fmt: skip
            if its_previous != previous:
                raise Broken(f"Event {said[0]} at position {its_position} does not go on from the event before it.", before)  # fmt: skip
            if digest(its_position, its_previous, said) != its_hash:
                raise Broken(f"Event {said[0]} at position {its_position} was changed after it was sealed.", before)  # fmt: skip
            chunk.append((its_position, its_previous, its_hash, tuple(said)))
            position, previous = its_position, its_hash
        if chunk:
            yield chunk
        if len(found) < CHUNK:
            return


def verify(anchors: Collection[Head] = (), *, on_chunk: Callable[[Head], None] | None = None) -> Finding:
    """Check the triggers, the summaries, every event, and that these anchors are on the chain."""
    while True:
        begin = pruned_head()
        finding = _verify(anchors, on_chunk)
        if not finding.problem or pruned_head() == begin:
            return finding
        # What is missing was pruned meanwhile: begin where the chain begins now.


def _verify(anchors: Collection[Head], on_chunk: Callable[[Head], None] | None) -> Finding:
    gone = triggers.missing(connection)
    at, problem = summaries.check()
    begin = at.position
    wanted = {each.position: each.hash for each in anchors}
    seen = {at.position: at.hash}
    try:
        for chunk in () if problem else walk(at):
            at = Head(chunk[-1][0], chunk[-1][2])
            seen |= {each[0]: each[2] for each in chunk if each[0] in wanted}
            if on_chunk is not None:
                on_chunk(at)
    except Broken as broken:
        at, problem = broken.after, str(broken)
    if not problem:
        problem = _against(wanted, seen, begin, at)
    if not problem and gone:
        problem = f"The database does not refuse changes: the trigger {gone[0]} is missing. `manage.py migrate` makes it again."
    return Finding(at, problem)


def _against(wanted: dict[int, str], seen: dict[int, str], begin: int, at: Head) -> str:
    for position, its_hash in sorted(wanted.items()):
        if position > at.position:
            return f"The chain ends at position {at.position}, but an anchor knows of position {position}: its end was cut off."
        if position in seen and seen[position] != its_hash:
            return f"The event at position {position} is another one than the anchor says: the chain was made anew."
        if position not in seen and position >= begin:
            return f"Position {position}, of which an anchor knows, is not there."
    return ""


def last() -> Verification | None:
    return Verification.objects.order_by("-id").first()


def verify_and_keep(
    anchors: Collection[Head] = (), *, on_chunk: Callable[[Head], None] | None = None
) -> Finding:
    """Verify, and write down that it was done and what came of it. What held before has to be there still."""
    good = Verification.objects.filter(problem="").order_by("-id").first()
    known = [Head(good.position, good.hash)] if good and good.position else []
    finding = verify([*known, *anchors], on_chunk=on_chunk)
    Verification.objects.create(
        at=timezone.now(),
        position=finding.head.position,
        hash=finding.head.hash,
        problem=finding.problem[:300],
    )
    return finding
