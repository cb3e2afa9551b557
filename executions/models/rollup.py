"""Counts of events by day, week and month, so that no page has to count a million rows."""

from __future__ import annotations

from django.db import models

from executions.core.leasing import LeasedQuerySet

# Values of `tool` and `person` for totals, and the person of external jobs.
ANY_TOOL, ANY_PERSON, NO_PERSON = "", 0, -1


class Period(models.TextChoices):
    DAY = "d", "day"
    WEEK = "w", "week"
    MONTH = "m", "month"


class Measure(models.TextChoices):
    """What is counted, and what `value` holds."""

    STARTED = "started", "jobs started; no value"
    HOUR = "hour", "jobs started, by hour of the week from Monday 00:00 UTC"
    ENDED = "ended", "jobs finished, by status"
    FAILED = "failed", "jobs failed, by error code"
    WAITING = "waiting", "jobs finished, by bucket of the time before they ran"
    RUNNING = "running", "jobs finished that ran, by bucket of the running time"
    DELAY = "delay", "webhook updates, by bucket of their delay"
    REPORTED = "heard", "status updates, by source"


class Rollup(models.Model):
    """One count. Each is stored four times: by tool and person, by tool, by person, and in total. Weeks have no count
    by tool and person, which would need nearly one row per job."""

    period = models.CharField(max_length=1, choices=Period)
    start = models.DateField(help_text="The first day. A job counts on the day (UTC) it was started.")
    tool = models.CharField(max_length=64, blank=True, help_text="The slug; empty: any.")
    person = models.IntegerField(help_text="The person's id; 0: any, -1: started outside Rushes.")
    measure = models.CharField(max_length=8, choices=Measure)
    value = models.CharField(max_length=64, blank=True)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            # In the order of the pages' queries: measure, person, tool, time range.
            models.UniqueConstraint(
                fields=["period", "measure", "person", "tool", "start", "value"], name="rollup_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.start} {self.tool or 'all'} {self.measure} {self.value}: {self.count}"


class RollupState(models.Model):
    """A single row: how far the events have been counted."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    event_id = models.BigIntegerField(default=0, help_text="Events up to this one are counted.")
    counted_until = models.DateTimeField(
        null=True, help_text="When all events were last known to be counted."
    )
    leased_until = models.DateTimeField(null=True)

    objects = LeasedQuerySet["RollupState"].as_manager()

    def __str__(self) -> str:
        return f"counted up to event {self.event_id}"
