"""The list of webhook deliveries, for admins: filtered by outcome, event, job and file, and updated live."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from dashboard.http.decorators import requires
from dashboard.http.params import PageCursor, as_id, as_number, as_uuid
from dashboard.http.query_urls import with_query
from executions.core import keyset
from executions.models import Execution, File, WebhookDelivery
from executions.models.webhook_delivery import Outcome
from executions.policy import Action
from executions.webhooks import endpoints

PAGE_SIZE = 50


class Filters:
    """`job` and `file` are ids of Rushes or of VideoGen. Invalid values are ignored."""

    def __init__(self, query: Any) -> None:
        outcome = query.get("outcome", "")
        self.outcome = outcome if outcome in Outcome.values else ""
        self.event = query.get("event", "").replace("\x00", "")[:100]
        self.job = query.get("job", "").replace("\x00", "").strip()[:128]
        self.file = query.get("file", "").replace("\x00", "").strip()[:128]

    @property
    def terms(self) -> dict[str, str]:
        found = {"outcome": self.outcome, "event": self.event, "job": self.job, "file": self.file}
        return {name: value for name, value in found.items() if value}

    def url(self, **more: Any) -> str:
        return with_query(reverse("deliveries"), {**self.terms, **more})

    def rows(self) -> QuerySet[WebhookDelivery]:
        """The deliveries that match, in no order."""
        rows = WebhookDelivery.objects.select_related("execution").defer("body", "headers")
        if self.outcome:
            rows = rows.filter(outcome=self.outcome)
        if self.event:
            rows = rows.filter(event=self.event)
        if self.file:
            rows = rows.filter(remote_file_id__in=self._files())
        return self._of_job(rows) if self.job else rows

    def _files(self) -> list[str]:
        if pk := as_uuid(self.file):
            return list(File.objects.filter(pk=pk).values_list("remote_id", flat=True))
        return [self.file]

    def _of_job(self, rows: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        if pk := as_uuid(self.job):
            return rows.filter(execution_id=pk)
        known = Execution.objects.filter(remote_id=self.job).values_list("pk", flat=True).first()
        if known is not None:
            return rows.filter(execution_id=known)
        return rows.filter(remote_execution_id=self.job, outcome=Outcome.UNKNOWN_JOB)


@requires(Action.WEBHOOKS_VIEW)
@require_GET
def log(request: HttpRequest) -> HttpResponse:
    """One page, newest first: `after` continues after a delivery, `newer` polls for deliveries since one."""
    filters = Filters(request.GET)
    newer = as_number(request.GET.get("newer", ""))
    if newer is not None:
        return _follow(request, filters, newer)
    cursor = PageCursor(request.GET, as_id)
    page = keyset.page(filters.rows(), size=PAGE_SIZE, after=cursor.after)
    context = {
        "deliveries": page.rows,
        "outcomes": [("", "any", not filters.outcome)]
        + [(value, word, value == filters.outcome) for value, word in Outcome.choices],
        "events": [("", "any", not filters.event)]
        + [(name, name, name == filters.event) for name in endpoints.EVENTS],
        "job": filters.job,
        "file": filters.file,
        "active": bool(filters.terms),
        "is_first": cursor.after is None,
        "here": filters.url(),
        "follow": filters.url(newer=page.rows[0].pk if page.rows else 0),
        "older": cursor.next_url(reverse("deliveries"), page, filters.terms),
    }
    return render(request, "webhooks/deliveries.html", context)


def _follow(request: HttpRequest, filters: Filters, newer: int) -> HttpResponse:
    """The deliveries since `newer`; 204, which swaps nothing, if there are none."""
    page = keyset.page(filters.rows().filter(pk__gt=newer), size=PAGE_SIZE)
    if not page.rows:
        return HttpResponse(status=204)
    if page.has_more:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"deliveries": page.rows, "follow": filters.url(newer=page.rows[0].pk)}
    return render(request, "webhooks/_new_deliveries.html", context)
