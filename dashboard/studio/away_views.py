"""Since you left: show the summary, dismiss it, and run its failed jobs again."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from dashboard.forms.batch_rows import recheck
from dashboard.http.params import as_uuid
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.studio.away_summary import AwaySummary
from executions import tools
from executions.batches import service as batches
from executions.batches.rows import plan_rows
from executions.team import last_visit


@require_GET
def page(request: AuthenticatedRequest) -> HttpResponse:
    """The summary since the visit before the last one, so that a dismissed summary can be read again."""
    summary = AwaySummary(request.user, last_visit.last(request.user.pk).summary_since)
    return render(request, "studio/away.html", {"since": summary})


@require_POST
def dismiss(request: AuthenticatedRequest) -> HttpResponse:
    """Dismiss the jobs that finished up to `until`. Without `until`, the person is leaving the studio now."""
    text = request.POST.get("until", "")
    if text:
        until = _parse_time(text)
        if until is None:
            return HttpResponse("until must be a time with a time zone.", status=400)
        last_visit.mark_seen(request.user, until)
    else:
        last_visit.mark_watched(request.user)
    if request.POST.get("quiet"):
        return HttpResponse(status=204)
    return see_other("studio")


@require_POST
def run_again(request: AuthenticatedRequest) -> HttpResponse:
    """Plan a batch with the same requests as these jobs of the person, who reviews and confirms it."""
    ids = {pk for text in request.POST.getlist("job")[: batches.MAX_ROWS] if (pk := as_uuid(text))}
    jobs = batches.unsuccessful_jobs(ids, request.user.pk)
    slugs = {job.tool for job in jobs}
    tool = tools.available().get(slugs.pop()) if len(slugs) == 1 else None
    if tool is None:
        messages.info(request, "These jobs cannot be run again together.")
        return see_other("since")
    name = f"{len(jobs)} × {tool.label} (again)" if len(jobs) > 1 else f"{tool.label} (again)"
    plan = batches.plan_jobs(tool, jobs, name=name, actor=request.user)
    problems = recheck(tool, plan_rows(plan)).problems
    if problems:
        batches.discard(plan, actor=request.user)
        first = problems[0]
        messages.error(request, f"Nothing was started. Job {first.number}: {first.message}")
        return see_other("since")
    return see_other("batch-plan", plan.pk)


def _parse_time(text: str) -> datetime | None:
    """The time, or None if it is invalid or has no time zone."""
    try:
        at = datetime.fromisoformat(text[:40])
    except ValueError:
        return None
    return at if timezone.is_aware(at) else None
