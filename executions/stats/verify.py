"""Compares the counts with the events that they were counted from, as far as these are still on record."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Count, Q, Sum

from executions.models import Event, Rollup, Summary
from executions.models.event import Kind
from executions.models.rollup import ANY_PERSON, ANY_TOOL, Measure, Period
from executions.stats.rollup import state
from executions.statuses import TERMINAL

# Events are pruned in the chain's order, which is that of time but for what was written at the same moment.
SLACK = timedelta(hours=1)
# What is compared with the events, and which events tell it.
CHECKED = {
    Measure.STARTED: Q(kind=Kind.STARTED),
    Measure.ENDED: Q(kind=Kind.STATUS, to_status__in=TERMINAL),
}


def first_whole_day() -> date | None:
    """The first day that begins behind all that was pruned; None when nothing ever was.

    All events of a job that counts on this day, or later, are on record: none was written before the job was started.
    """
    last = Summary.objects.order_by("-last_position").first()
    return (last.last_at + SLACK).date() + timedelta(days=1) if last else None


def first_whole(period: Period, since: date) -> date:
    """Where the first day, week or month begins that has no day before `since`."""
    if period == Period.WEEK:
        return since + timedelta(days=-since.weekday() % 7)
    if period == Period.MONTH and since.day > 1:
        return (since.replace(day=1) + timedelta(days=31)).replace(day=1)
    return since


def differences() -> list[str]:
    """Where the counts and the events that they were counted from disagree, in sentences; none when all is well.

    Where events were pruned, only from the first whole day, week or month on: what was before is in the counts alone.
    """
    until, since = state().event_id, first_whole_day()
    begins = {period: first_whole(period, since) if since else None for period in Period}
    # All are counted in one walk through the events.
    told = Event.objects.filter(id__lte=until, execution__isnull=False).aggregate(
        **{
            f"{measure}_{period}": Count("id", filter=kind & _started_since(begin))
            for measure, kind in CHECKED.items()
            for period, begin in begins.items()
        }
    )
    wrong = []
    for measure in CHECKED:
        whole = Rollup.objects.filter(measure=measure, person=ANY_PERSON, tool=ANY_TOOL)
        for period, begin in begins.items():
            rows = whole.filter(period=period, **({"start__gte": begin} if begin else {}))
            counted = rows.aggregate(sum=Sum("count"))["sum"] or 0
            on_record = told[f"{measure}_{period}"]
            if counted != on_record:
                of = f"Of what began from {begin:%-d %B %Y} on, " if begin else ""
                wrong.append(
                    f"{of}{on_record:,} jobs {measure} up to event {until}; by {period.label} {counted:,} are counted."
                )
    return wrong


def _started_since(begin: date | None) -> Q:
    midnight = datetime.combine(begin, time.min, UTC) if begin else None
    return Q(execution__created_at__gte=midnight) if midnight else Q()
