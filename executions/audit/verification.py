"""Verifies the hash chain from its start to its head, a few thousand events at a time, and reports where it is broken."""

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


class ChainBroken(Exception):
    """The chain is not intact; the message names the first broken event, and `last_intact` is the one before it."""

    def __init__(self, message: str, last_intact: Head) -> None:
        super().__init__(message)
        self.last_intact = last_intact


@dataclass(frozen=True)
class Finding:
    head: Head
    """The last intact event."""
    problem: str
    """A message; empty when everything is intact."""


type Link = tuple[int, str, str, tuple[Any, ...]]  # position, previous hash, hash, the event's COLUMNS


def verified_chunks(start: Head) -> Iterator[list[Link]]:
    """The sealed events after `start` in the order of the chain, in verified chunks. Raises ChainBroken.

    No cursor stays open between two chunks, so that each may be read in a different thread.
    """
    position, previous = start.position, start.hash
    while True:
        rows = Event.objects.sealed().filter(position__gt=position).order_by("position")
        found = list(rows.values_list("position", "previous_hash", "hash", *COLUMNS)[:CHUNK])
        chunk: list[Link] = []
        for its_position, its_previous, its_hash, *values in found:
            before = Head(position, previous)
            if its_position != position + 1:
                raise ChainBroken(f"Position {position + 1} is missing: the next one is event {values[0]} at {its_position}.", before)  # fmt: skip
            if its_previous != previous:
                raise ChainBroken(f"Event {values[0]} at position {its_position} does not continue from the event before it.", before)  # fmt: skip
            if digest(its_position, its_previous, values) != its_hash:
                raise ChainBroken(f"Event {values[0]} at position {its_position} was changed after it was sealed.", before)  # fmt: skip
            chunk.append((its_position, its_previous, its_hash, tuple(values)))
            position, previous = its_position, its_hash
        if chunk:
            yield chunk
        if len(found) < CHUNK:
            return


def verify(anchors: Collection[Head] = (), *, on_chunk: Callable[[Head], None] | None = None) -> Finding:
    """Check the triggers, the summaries, every event, and that these anchors are in the chain."""
    while True:
        begin = pruned_head()
        finding = _verify(anchors, on_chunk)
        if not finding.problem or pruned_head() == begin:
            return finding
        # Events were pruned during the check: start again from the new beginning of the chain.


def _verify(anchors: Collection[Head], on_chunk: Callable[[Head], None] | None) -> Finding:
    missing_triggers = triggers.missing(connection)
    end, problem = summaries.check()
    begin = end.position
    anchor_hashes = {each.position: each.hash for each in anchors}
    found_hashes = {end.position: end.hash}
    try:
        for chunk in () if problem else verified_chunks(end):
            end = Head(chunk[-1][0], chunk[-1][2])
            found_hashes |= {each[0]: each[2] for each in chunk if each[0] in anchor_hashes}
            if on_chunk is not None:
                on_chunk(end)
    except ChainBroken as broken:
        end, problem = broken.last_intact, str(broken)
    if not problem:
        problem = _check_anchors(anchor_hashes, found_hashes, begin, end)
    if not problem and missing_triggers:
        problem = f"The database does not refuse changes: the trigger {missing_triggers[0]} is missing. Run `manage.py migrate` to restore it."
    return Finding(end, problem)


def _check_anchors(anchors: dict[int, str], found: dict[int, str], begin: int, end: Head) -> str:
    """The first anchor that disagrees with the chain, as a message; empty when all agree."""
    for position, its_hash in sorted(anchors.items()):
        if position > end.position:
            return f"The chain ends at position {end.position}, but an anchor names position {position}: the end was cut off."
        if position in found and found[position] != its_hash:
            return f"The event at position {position} does not match the anchor: the chain was rebuilt."
        if position not in found and position >= begin:
            return f"Position {position}, named by an anchor, is missing."
    return ""


def latest() -> Verification | None:
    return Verification.objects.order_by("-id").first()


def verify_and_store(
    anchors: Collection[Head] = (), *, on_chunk: Callable[[Head], None] | None = None
) -> Finding:
    """Verify, and store the result. The head of the last successful verification serves as one more anchor."""
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
