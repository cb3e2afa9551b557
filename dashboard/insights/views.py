"""The Insights page, for admins."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard.http.decorators import requires
from dashboard.insights.page import InsightsPage
from executions.policy import Action


@require_GET
@requires(Action.INSIGHTS_VIEW)
def insights(request: HttpRequest) -> HttpResponse:
    return render(request, "insights/index.html", {"page": InsightsPage(request.GET)})
