"""Since you left: the page of it, that it has been seen, and running again exactly what failed."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from dashboard.forms.batch_rows import check_again
from dashboard.http.params import as_uuid
from dashboard.http.requests import AuthenticatedRequest
from dashboard.studio.away_summary import SinceYouLeft
from executions import tools
from executions.batches import service as batches
from executions.batches.rows import of_plan
from executions.models import Execution
from executions.statuses import CANCELLED, FAILED
from executions.team import last_visit


@require_GET
def page(request: AuthenticatedRequest) -> HttpResponse:
    """From the look before the last one: what was shown then can be read again."""
    found = SinceYouLeft(request.user, last_visit.last(request.user.pk).before_at)
    return render(request, "studio/away.html", {"since": found})


@require_POST
def seen(request: AuthenticatedRequest) -> HttpResponse:
    """`until`: all that ended before has been seen. Without it: whoever watched the studio leaves it now."""
    text = request.POST.get("until", "")
    if text:
        until = _time(text)
        if until is None:
            return HttpResponse("until is no time with a zone.", status=400)
        last_visit.seen(request.user, until)
    else:
        last_visit.watched(request.user)
    if request.POST.get("quiet"):
        return HttpResponse(status=204)
    return HttpResponseRedirect(reverse("studio"), status=303)


@require_POST
def again(request: AuthenticatedRequest) -> HttpResponse:
    """A plan with what exactly these jobs asked for, which the person looks over and confirms."""
    jobs = _jobs(request)
    slugs = {job.tool for job in jobs}
    tool = tools.available().get(slugs.pop()) if len(slugs) == 1 else None
    if tool is None:
        messages.info(request, "There is nothing of these that can be run again together.")
        return HttpResponseRedirect(reverse("since"), status=303)
    name = f"{len(jobs)} × {tool.label} (again)" if len(jobs) > 1 else f"{tool.label} (again)"
    plan = batches.plan_jobs(tool, jobs, name=name, actor=request.user)
    problems = check_again(tool, of_plan(plan)).problems
    if problems:
        batches.discard(plan, actor=request.user)
        first = problems[0]
        messages.error(request, f"Nothing was started. Job {first.number}: {first.words}")
        return HttpResponseRedirect(reverse("since"), status=303)
    response = redirect("batch-plan", plan.pk)
    response.status_code = 303
    return response


def _jobs(request: AuthenticatedRequest) -> list[Execution]:
    """The named jobs of this person that did not come out well, in the order in which they were started."""
    ids = {pk for text in request.POST.getlist("job")[: batches.MOST_ROWS] if (pk := as_uuid(text))}
    own = Execution.objects.filter(pk__in=ids, created_by=request.user, status__in=[FAILED, CANCELLED])
    return list(own.select_related("after").order_by("id"))


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text[:40])
    except ValueError:
        return None
    return at if timezone.is_aware(at) else None
