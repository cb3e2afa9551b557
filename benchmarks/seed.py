"""Seed an empty database: three people with sessions, running jobs, and finished jobs with their files.

Run as a program; prints what it wrote as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
from datetime import datetime, timedelta
from typing import Any

import django

from benchmarks import shelves

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
PEOPLE = ("maker", "admin", "member")  # the owner of the jobs, an admin, another member
TOOLS = ("generate-image", "text-to-speech")
ENDS = ("succeeded", "succeeded", "succeeded", "failed", "cancelled")
BATCH = 500


def signed_in() -> dict[str, str]:
    """Create the people, each with a session. Returns session keys by username."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    keys = {}
    for name in PEOPLE:
        person = get_user_model().objects.create(username=name, is_staff=name == "admin")
        person.set_unusable_password()
        person.save()
        session = SessionStore()
        session[SESSION_KEY] = str(person.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.save()
        keys[name] = str(session.session_key)
    return keys


def job(number: int, status: str, began: datetime, maker_id: int) -> Any:
    from executions.models import Execution
    from executions.statuses import TERMINAL

    tool = TOOLS[number % len(TOOLS)] if status in TERMINAL else TOOLS[0]
    prompt = f"Benchmark job {number}: a lighthouse on a basalt cliff, long exposure, evening light"
    body = {
        "prompt": prompt,
        "numResults": 1,
        "quality": "STANDARD",
        "aspectRatio": {"width": 16, "height": 9},
    }
    if tool == "text-to-speech":
        body = {"ttsText": prompt}
    return Execution(
        remote_id=f"vg_exec_benchmark{number:08}",
        tool=tool,
        request_body=body,
        prompt=prompt,
        created_by_id=maker_id,
        status=status,
        attempt=0,
        progress=100.0 if status == "succeeded" else 40.0,
        error={"message": "The words were refused.", "code": "moderated"} if status == "failed" else None,
        created_at=began,
        sent_at=began,
        accepted_at=began,
        running_at=began,
        ended_at=began + timedelta(seconds=4) if status in TERMINAL else None,
        # Never polled: the job finishes by webhook.
        next_attempt_at=None,
        start_answer={"toolExecutionId": f"vg_exec_benchmark{number:08}"},
    )


def file_of(execution: Any, maker_id: int) -> Any:
    from executions.models import File
    from executions.models.file import FileOrigin

    is_picture = execution.tool == "generate-image"
    return File(
        remote_id=execution.remote_id.replace("vg_exec_", "vg_file_"),
        type="IMAGE" if is_picture else "AUDIO",
        display_name=execution.prompt,
        width=1920 if is_picture else None,
        height=1080 if is_picture else None,
        duration=None if is_picture else 3.2,
        origin=FileOrigin.RESULT,
        source_tool=execution.tool,
        created_by_id=maker_id,
    )


def write_jobs(statuses: list[str], maker_id: int, offset: int) -> list[Any]:
    """Jobs one minute apart, the last one now. Each succeeded job has a file; none has events."""
    from django.db import transaction
    from django.utils import timezone

    from executions.models import Execution, File, Result

    now = timezone.now()
    jobs = [
        job(offset + number, status, now - timedelta(minutes=len(statuses) - number), maker_id)
        for number, status in enumerate(statuses)
    ]
    with transaction.atomic():
        Execution.objects.bulk_create(jobs, BATCH)
        made = [(each, file_of(each, maker_id)) for each in jobs if each.status == "succeeded"]
        File.objects.bulk_create((file for _, file in made), BATCH)
        Result.objects.bulk_create(
            (Result(execution=each, file=file, position=0) for each, file in made), BATCH
        )
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seed", description=__doc__)
    parser.add_argument("--running", type=int, default=0, help="number of running jobs")
    parser.add_argument("--finished", type=int, default=0, help="number of finished jobs")
    parser.add_argument("--files", type=int, default=0, help="number of additional library files")
    parser.add_argument("--batch", type=int, default=0, help="number of results of a finished batch")
    parser.add_argument("--media", default="", help="URL prefix of the batch's results")
    wanted = parser.parse_args()
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    sessions = signed_in()
    maker_id = get_user_model().objects.get(username=PEOPLE[0]).pk
    ended = write_jobs([ENDS[number % len(ENDS)] for number in range(wanted.finished)], maker_id, 0)
    under_way = write_jobs(["running"] * wanted.running, maker_id, wanted.finished)
    people = get_user_model().objects.filter(username__in=PEOPLE).values_list("pk", flat=True)
    shelves.write_files(wanted.files, sorted(people))
    batch = shelves.write_batch(wanted.batch, wanted.media, maker_id) if wanted.batch else ""
    written = {
        "maker": maker_id,
        "batch": batch,
        "sessions": sessions,
        "running": [(str(each.pk), each.remote_id) for each in under_way],
        "finished": [str(each.pk) for each in ended],
    }
    print(json.dumps(written))


if __name__ == "__main__":
    main()
