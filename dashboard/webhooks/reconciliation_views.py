"""The daily reconciliation, for admins: each day's outcome, and every difference with advice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.http.decorators import requires
from dashboard.http.params import PageCursor, as_day
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from executions import tools
from executions.core import keyset
from executions.core.sync_bridge import wait_for
from executions.models import DailyReconciliation
from executions.policy import Action
from executions.sync import daily_reconciliation

PAGE_SIZE = 60


@requires(Action.WEBHOOKS_VIEW)
@require_http_methods(["GET", "POST"])
def days(request: AuthenticatedRequest) -> HttpResponse:
    """The latest days. POST reconciles the given day, again if it was reconciled before."""
    if request.method == "POST":
        return _reconcile(request)
    cursor = PageCursor(request.GET, as_day, name="before")
    rows = DailyReconciliation.objects.select_related("reconciled_by")
    page = keyset.page(rows, size=PAGE_SIZE, after=cursor.after, by="-day")
    context = {
        "rows": page.rows,
        "next_url": cursor.next_url(reverse("reconciliations"), page, column="day"),
        "yesterday": (datetime.now(UTC).date() - timedelta(days=1)).isoformat(),
    }
    return render(request, "webhooks/reconciliations.html", context)


def _reconcile(request: AuthenticatedRequest) -> HttpResponse:
    day = as_day(request.POST.get("day", ""))
    if day is None:
        messages.error(request, "Choose a day.")
        return see_other("reconciliations")
    try:
        row = wait_for(lambda: daily_reconciliation.reconcile_day(day, actor=request.user))
    except daily_reconciliation.CannotReconcile as error:
        messages.error(request, str(error))
    except TimeoutError:
        messages.error(request, "Still comparing. Check again in a minute.")
    else:
        return see_other("reconciliation", row.pk)
    return see_other("reconciliations")


@requires(Action.WEBHOOKS_VIEW)
@require_GET
def day(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(DailyReconciliation.objects.select_related("reconciled_by"), pk=pk)
    differences = [
        (each, tools.find(each.tool).label if each.tool else "")
        for each in daily_reconciliation.differences_of(row)
    ]
    context = {"row": row, "differences": differences}
    return render(request, "webhooks/reconciliation.html", context)
