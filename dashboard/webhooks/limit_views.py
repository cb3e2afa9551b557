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
    gauges = [Gauge(each) for each in hourly.overview()]
    starts = gauges[0]
    context: dict[str, Any] = {
        "starts": starts,
        "reserve": hourly.reserve(starts.state.limit or 0),
        "reported": [each for each in gauges if each.state.is_reported],
        "documented": [each for each in gauges if not each.state.is_reported],
        "budget_left": poll_budget.calls_left(),
        "budget_reserve": poll_budget.RESERVE,
        "budget_hourly": poll_budget.HOURLY_BUDGET,
        "queue": queue_state.state(),
    }
    return render(request, "webhooks/limits.html", context)
