"""Liveness, readiness and metrics of this process."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dashboard.http import metrics as process_metrics
from executions import policy
from executions.core import database, worker
from executions.limits import api_health
from executions.policy import Action


@login_not_required
async def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: the process responds. Checks no dependency."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """The state of each dependency and of each worker of this process; 503 if the database or the cache is unavailable."""
    state = {
        "database": _database(),
        "cache": _cache(),
        "videogen_key": "refused" if api_health.key_rejection() else "ok",
        "workers": {each.name: "late" if each.is_late else "ok" for each in worker.running()},
    }
    ready = state["database"] == state["cache"] == "ok"
    return JsonResponse(state, status=200 if ready else 503)


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics for Prometheus, with METRICS_TOKEN as bearer token, and for admins."""
    token = settings.METRICS_TOKEN
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    is_scraper = bool(token) and constant_time_compare(sent, token)
    if not is_scraper and not policy.can(request.user, Action.METRICS_VIEW):
        return HttpResponse(
            "Metrics require METRICS_TOKEN or an admin.\n", status=403, content_type="text/plain"
        )
    process_metrics.refresh()
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _database() -> str:
    try:
        database.ping()
    except DatabaseError:
        return "away"
    return "ok"


def _cache() -> str:
    try:
        cache.set("readyz", "ok", 5)
        return "ok" if cache.get("readyz") == "ok" else "away"
    except Exception:
        return "away"
