"""Seed files: a mixed library, and a batch whose results are on a media server."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

CHUNK_SIZE = 500
# Tool that made a file, and the file's type.
MADE = (("generate-image", "IMAGE"), ("upscale-image", "IMAGE"), ("text-to-speech", "AUDIO"), ("", "VIDEO"))
WORDS = [
    "harbour",
    "lighthouse",
    "basalt",
    "cliff",
    "evening",
    "pier",
    "fog",
    "wave",
    "gull",
    "boat",
    "stone",
    "light",
]
# A word in every name, in one name of sixteen, in a hundred names of any library, and in none.
COMMON, SOME, RARE, NONE = "take", "harbour", "meridian", "zebrafish"
RARE_ONES = 100


def write_files(count: int, person_ids: list[int]) -> None:
    """Files of all types, tools and people. The same count gives the same files."""
    from django.db import transaction

    from executions.models import File
    from executions.models.file import FileOrigin

    chance = random.Random(count)
    every = max(1, count // RARE_ONES)

    def one(number: int) -> Any:
        tool, media = MADE[number % len(MADE)]
        words = " ".join(chance.choice(WORDS) for _ in range(3))
        rare = f" {RARE}" if number % every == 0 else ""
        return File(
            remote_id=f"vg_file_shelf{number:08}",
            type=media,
            scope="TEMPORARY" if number % 10 == 0 else "GLOBAL",
            display_name=f"{words}{rare}, take {number}",
            origin=FileOrigin.RESULT if tool else FileOrigin.ACCOUNT,
            source_tool=tool,
            created_by_id=person_ids[number % 2],
            snapshot={
                "fileId": f"vg_file_shelf{number:08}",
                "type": media,
                "downloadSource": {"status": "ready"},
            },
        )

    with transaction.atomic():
        File.objects.bulk_create((one(number) for number in range(count)), CHUNK_SIZE)


def write_batch(count: int, media_url: str, maker_id: int) -> str:
    """Create a batch of succeeded jobs, each with a file at `media_url`/<number>. Returns the batch's id."""
    from django.db import transaction
    from django.utils import timezone

    from benchmarks.seed import job
    from executions.models import Batch, Execution, File, Result

    now = timezone.now()
    expires = (now + timedelta(hours=1)).isoformat()
    with transaction.atomic():
        batch = Batch.objects.create(
            name="Benchmark", tool="generate-image", created_by_id=maker_id, size=count
        )
        jobs = [job(9_000_000 + 2 * number, "succeeded", now, maker_id) for number in range(count)]
        for each in jobs:
            each.batch = batch
        Execution.objects.bulk_create(jobs, CHUNK_SIZE)
        for number, each in enumerate(jobs):
            remote_id = f"vg_file_batch{number:08}"
            source = {"status": "ready", "url": f"{media_url}/{number}", "expiresAt": expires}
            snapshot = {"fileId": remote_id, "downloadSource": source, "previewSource": source}
            file = File.objects.create(
                remote_id=remote_id, type="IMAGE", snapshot=snapshot, created_by_id=maker_id
            )
            Result.objects.create(execution=each, file=file, position=0)
    return str(batch.pk)
