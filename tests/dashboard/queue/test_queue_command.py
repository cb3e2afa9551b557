"""`manage.py queue`, for operators without a browser."""

from __future__ import annotations

from io import StringIO
from typing import Any

from django.core.management import call_command

from executions.lifecycle import queue_state
from executions.models import Event
from executions.models.event import ActKind, Source
from tests.factories import jobs


def queue(act: str) -> str:
    output = StringIO()
    call_command("queue", act, stdout=output)
    return output.getvalue().strip()


def test_it_pauses_and_resumes_the_whole_queue(db: None, people: Any) -> None:
    assert queue("pause") == "Paused."
    assert queue_state.is_paused()
    assert queue("pause") == "Already paused."
    assert queue("resume") == "Resumed."
    assert not queue_state.is_paused()
    assert queue("resume") == "Not paused."
    acts = Event.objects.filter(kind__in=[ActKind.QUEUE_PAUSED, ActKind.QUEUE_RESUMED]).order_by("pk")
    assert list(acts.values_list("kind", "source", "actor")) == [
        (ActKind.QUEUE_PAUSED, Source.SYSTEM, None),
        (ActKind.QUEUE_RESUMED, Source.SYSTEM, None),
    ]


def test_it_shows_whether_the_queue_is_paused_and_how_many_jobs_wait(db: None, people: Any) -> None:
    jobs.queued()
    jobs.queued()
    assert queue("status") == "The queue is open; 2 jobs are queued."
    queue("pause")
    since = queue_state.state().paused_at
    assert queue("status") == f"The queue is paused since {since:%Y-%m-%d %H:%M} UTC; 2 jobs are queued."
