"""Rows of generated finished jobs, sorted by start, as text that both databases accept."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from benchmarks.seed_history.prompts import prompts, zipf
from executions import statuses, tools
from executions.models import Execution

CHUNK = 20_000
FINAL_STATUSES = (statuses.SUCCEEDED, statuses.FAILED, statuses.CANCELLED)
STATUS_SHARES = (0.9, 0.06, 0.04)
EXTERNAL_SHARE = 0.03
# Share of the jobs that belong to a batch, and jobs per batch.
BATCH_SHARE, BATCH_SIZE = 0.1, 40
ERRORS = {
    "moderation_refused": "The words were refused.",
    "generation_failed": "The model gave up.",
    "invalid_parameters": "A parameter was not accepted.",
    "timed_out": "It took too long.",
    "source_unreadable": "The source file could not be read.",
    "insufficient_credits": "The credits are used up.",
}
CODES, WEIGHTS = list(ERRORS), zipf(len(ERRORS))
# Median seconds that a job runs, by media type.
MEDIAN_SECONDS = {"IMAGE": 14.0, "VIDEO": 85.0, "AUDIO": 6.0}
MEDIAN_SECONDS_OF = {slug: MEDIAN_SECONDS[tool.media] for slug, tool in tools.TOOLS.items()}
SUBJECT_OF = {slug: tool.subject or "prompt" for slug, tool in tools.TOOLS.items()}
LOCAL, EXTERNAL = Execution.Origin.LOCAL.value, Execution.Origin.EXTERNAL.value
COLUMNS = (
    "id", "remote_id", "tool", "origin", "request_body", "prompt", "fingerprint", "created_by_id", "batch_id",
    "after_field", "status", "progress", "attempt", "error", "error_code", "note", "version", "created_at",
    "sent_at", "accepted_at", "running_at", "ended_at", "duration", "cancel_requested_at",
    "cancel_requested_by_id", "cancel_noted_at", "cancel_reason", "attempts", "last_heard_at",
)  # fmt: skip
REASONS = ("wrong file", "started twice", "not needed any more", "too slow", "")

type Row = tuple[Any, ...]


def rows(
    count: int, *, seed: int, since: datetime, until: datetime, people: Sequence[int], batches: Sequence[str]
) -> Iterator[list[Row]]:
    """Chunks of rows, with the columns of COLUMNS. Jobs become more frequent towards `until`."""
    chance = random.Random(seed)
    slugs = sorted(tools.TOOLS, key=lambda slug: (slug != "generate-image", slug != "text-to-speech"))
    began, span = since.timestamp(), (until - since).total_seconds()
    # Enough values that two jobs rarely take the same time.
    waiting = [chance.expovariate(0.7) for _ in range(5000)]
    running = [chance.lognormvariate(0, 0.7) for _ in range(5000)]
    done = 0
    while done < count:
        size = min(CHUNK, count - done)
        # The team grows, so the elapsed share of the period is greater than the share of the jobs.
        times = [began + span * ((done + place) / count) ** 0.8 for place in range(size)]
        yield [
            _row(chance, at, tool, prompt, end, person, waits, ran, batches, done + place)
            for place, (at, tool, prompt, end, person, waits, ran) in enumerate(
                zip(
                    times,
                    chance.choices(slugs, cum_weights=zipf(len(slugs)), k=size),
                    prompts(chance, size),
                    chance.choices(FINAL_STATUSES, STATUS_SHARES, k=size),
                    chance.choices(people, cum_weights=zipf(len(people), 0.8), k=size),
                    chance.choices(waiting, k=size),
                    chance.choices(running, k=size),
                    strict=True,
                )
            )
        ]
        done += size


def _row(
    chance: random.Random,
    at: float,
    tool: str,
    prompt: str,
    end: str,
    person: int | None,
    waits: float,
    ran: float,
    batches: Sequence[str],
    number: int,
) -> Row:
    milliseconds = int(at * 1000)
    job_id = f"{milliseconds:012x}7{number & 0xFFF:03x}{(0b10 << 62) | chance.getrandbits(62):016x}"
    # Generated prompts contain nothing that needs escaping in JSON.
    origin, body = LOCAL, f'{{"{SUBJECT_OF[tool]}": "{prompt}", "numResults": 1}}'
    if chance.random() < EXTERNAL_SHARE:
        origin, person, prompt, body = EXTERNAL, None, "", "{}"
    batch = None
    if batches and person is not None and chance.random() < BATCH_SHARE:
        batch = batches[min(number // (BATCH_SIZE * 10), len(batches) - 1)]
    took = waits + ran * MEDIAN_SECONDS_OF[tool]
    error = code = None
    if end == statuses.FAILED:
        code = chance.choices(CODES, cum_weights=WEIGHTS)[0]
        error = _to_json({"message": ERRORS[code], "code": code})
    requested = by = noted = None
    reason = ""
    if end == statuses.CANCELLED:
        took = waits + chance.random() * 20
        requested, noted, by = at + took * 0.8, at + took * 0.9, person
        reason = chance.choice(REASONS)
    created, ended = _time(at), _time(at + took)
    return (
        job_id, f"seed_{job_id}", tool, origin, body, prompt, f"{chance.getrandbits(64):016x}", person, batch,
        "", end, 100.0 if end == statuses.SUCCEEDED else None, 0, error, code, "", 4, created,
        created, _time(at + 0.2), _time(at + waits), ended, round(took, 3), requested and _time(requested),
        by, noted and _time(noted), reason, 0, ended,
    )  # fmt: skip


def _time(at: float) -> str:
    """A time as text that both databases accept. Built from cached parts: formatting five million times takes a third
    of the total time."""
    minute, millisecond = divmod(int(at * 1000), 60_000)
    day, minute = divmod(minute, 1440)
    return _day(day) + MINUTES[minute] + MILLISECONDS[millisecond]


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()


MINUTES = [f" {minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
MILLISECONDS = [f"{number // 1000:02}.{number % 1000:03}000" for number in range(60_000)]
_to_json = json.JSONEncoder(ensure_ascii=False).encode
_EPOCH = date(1970, 1, 1)
