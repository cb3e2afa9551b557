"""The Limits page: VideoGen's hourly rate limits as its responses report them, and our polling budget."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard.cards.limit_gauge import Gauge
from dashboard.http.decorators import requires
from executions.lifecycle import queue_state
from executions.limits import poll_budget
from executions.limits import rate_limits as hourly
from executions.policy import Action


@requires(Action.WEBHOOKS_VIEW)
@require_GET
def limits(request: HttpRequest) -> HttpResponse:
    known = [Gauge(each) for each in hourly.overview()]
    starts = known[0]
    context: dict[str, Any] = {
        "starts": starts,
        "reserve": hourly.reserve(starts.known.limit or 0),
        "told": [each for each in known if each.known.was_told],
        "documented": [each for each in known if not each.known.was_told],
        "budget_left": poll_budget.left_now(),
        "budget_reserve": poll_budget.RESERVE,
        "budget_hourly": poll_budget.HOURLY_BUDGET,
        "queue": queue_state.state(),
    }
    return render(request, "webhooks/limits.html", context)
