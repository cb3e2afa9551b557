"""The list of webhook deliveries, for admins: filtered by outcome, event, job and file, and updated live."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from dashboard.http.decorators import requires
from dashboard.http.params import PageCursor, as_id, as_number
from dashboard.http.query_urls import with_query
from executions.core import keyset
from executions.models import WebhookDelivery
from executions.models.webhook_delivery import Outcome
from executions.policy import Action
from executions.webhooks import deliveries, endpoints

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
        found = deliveries.search(**self.terms)
        return found.select_related("execution").defer("body", "headers")


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
    page = keyset.page(keyset.beyond(filters.rows(), newer, "pk"), size=PAGE_SIZE)
    if not page.rows:
        return HttpResponse(status=204)
    if page.has_more:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"deliveries": page.rows, "follow": filters.url(newer=page.rows[0].pk)}
    return render(request, "webhooks/_new_deliveries.html", context)
