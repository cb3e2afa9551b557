"""Counts of what the events tell, kept by day, week and month, so that no page has to count a million rows."""

from __future__ import annotations

from django.db import models

from executions.core.leasing import LeasedQuerySet

# In the place of a tool or a person: whichever; and the person of a job that nobody here started.
ANY_TOOL, ANYBODY, NOBODY = "", 0, -1


class Period(models.TextChoices):
    DAY = "d", "day"
    WEEK = "w", "week"
    MONTH = "m", "month"


class Measure(models.TextChoices):
    """What is counted; what `value` then is."""

    STARTED = "started", "jobs started; no value"
    HOUR = "hour", "jobs started, by hour of the week from Monday 00:00 UTC"
    ENDED = "ended", "jobs ended, by status"
    FAILED = "failed", "jobs failed, by error code"
    WAITING = "waiting", "jobs ended, by bucket of the time before they ran"
    RUNNING = "running", "jobs ended that ran, by bucket of the time they ran"
    DELAY = "delay", "news by webhook, by bucket of how late we knew"
    HEARD = "heard", "news of a status, by the source that brought it"


class Rollup(models.Model):
    """One count. Each is kept four times: by tool and person, by tool, by person, and for all. By tool and person
    together not for weeks: that would be nearly a row for each job."""

    period = models.CharField(max_length=1, choices=Period)
    start = models.DateField(help_text="The first day. A job counts on the day (UTC) it was started.")
    tool = models.CharField(max_length=64, blank=True, help_text="The slug; empty: any.")
    person = models.IntegerField(help_text="The person's id; 0: anybody, -1: nobody here.")
    measure = models.CharField(max_length=8, choices=Measure)
    value = models.CharField(max_length=64, blank=True)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            # In the order in which pages ask: what, of whom, from when to when.
            models.UniqueConstraint(
                fields=["period", "measure", "person", "tool", "start", "value"], name="rollup_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.start} {self.tool or 'all'} {self.measure} {self.value}: {self.count}"


class RollupState(models.Model):
    """How far the events have been counted. There is one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    event_id = models.BigIntegerField(default=0, help_text="Events up to this one are counted.")
    counted_until = models.DateTimeField(null=True, help_text="When that was last known to be all.")
    leased_until = models.DateTimeField(null=True)

    objects = LeasedQuerySet["RollupState"].as_manager()

    def __str__(self) -> str:
        return f"counted up to event {self.event_id}"
