"""Compares the counts with the events they were computed from, as far as those are still stored."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Count, Q, Sum

from executions.models import Event, Rollup, Summary
from executions.models.event import Kind
from executions.models.rollup import ANY_PERSON, ANY_TOOL, Measure, Period
from executions.stats.rollup import state
from executions.statuses import TERMINAL

# Events are pruned in the order of the chain, which can differ slightly from the order of time.
TOLERANCE = timedelta(hours=1)
# The measures to compare, and the events that they count.
CHECKED = {
    Measure.STARTED: Q(kind=Kind.STARTED),
    Measure.ENDED: Q(kind=Kind.STATUS, to_status__in=TERMINAL),
}
LABELS = {Measure.STARTED: "Jobs started", Measure.ENDED: "Jobs finished"}


def first_whole_day() -> date | None:
    """The first day after all pruned events; None if none were pruned.

    All events of jobs started on this day or later are stored, since none is older than its job.
    """
    last = Summary.objects.order_by("-last_position").first()
    return (last.last_at + TOLERANCE).date() + timedelta(days=1) if last else None


def first_whole(period: Period, since: date) -> date:
    """The start of the first day, week or month that contains no day before `since`."""
    if period == Period.WEEK:
        return since + timedelta(days=-since.weekday() % 7)
    if period == Period.MONTH and since.day > 1:
        return (since.replace(day=1) + timedelta(days=31)).replace(day=1)
    return since


def differences() -> list[str]:
    """Messages about differences between the counts and their events; empty if they agree.

    If events were pruned, only whole days, weeks and months after them are compared: older events exist only as counts.
    """
    until, since = state().event_id, first_whole_day()
    begins = {period: first_whole(period, since) if since else None for period in Period}
    # One pass through the events counts everything.
    stored = Event.objects.filter(id__lte=until, execution__isnull=False).aggregate(
        **{
            f"{measure}_{period}": Count("id", filter=kind & _started_since(begin))
            for measure, kind in CHECKED.items()
            for period, begin in begins.items()
        }
    )
    messages = []
    for measure in CHECKED:
        totals = Rollup.objects.filter(measure=measure, person=ANY_PERSON, tool=ANY_TOOL)
        for period, begin in begins.items():
            rows = totals.filter(period=period, **({"start__gte": begin} if begin else {}))
            counted = rows.aggregate(sum=Sum("count"))["sum"] or 0
            expected = stored[f"{measure}_{period}"]
            if counted != expected:
                scope = f"jobs started since {begin:%-d %B %Y}, " if begin else ""
                messages.append(
                    f"{LABELS[measure]} ({scope}up to event {until}): {expected:,} by the events, "
                    f"but {counted:,} by the counts per {period.label}."
                )
    return messages


def _started_since(begin: date | None) -> Q:
    midnight = datetime.combine(begin, time.min, UTC) if begin else None
    return Q(execution__created_at__gte=midnight) if midnight else Q()
