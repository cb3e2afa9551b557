"""Every webhook delivery, for admins: filtered by outcome, event, job and file, and followed while it is open."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from dashboard.http.decorators import requires
from dashboard.http.params import as_number, as_uuid
from dashboard.http.query_urls import with_query
from executions.models import Execution, File, WebhookDelivery
from executions.models.webhook_delivery import Outcome
from executions.policy import Action
from executions.webhooks import endpoints

SIZE = 50


class Filters:
    """`job` and `file` are our ids, or VideoGen's. What cannot be one of the values counts as no filter."""

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
        """What fits, the newest first."""
        rows = WebhookDelivery.objects.select_related("execution").defer("body", "headers").order_by("-id")
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
    """The newest first; `after` goes on from an older one, `newer` asks what has come since."""
    filters = Filters(request.GET)
    newer = as_number(request.GET.get("newer", ""))
    if newer is not None:
        return _follow(request, filters, newer)
    after = as_number(request.GET.get("after", ""))
    rows = filters.rows() if after is None else filters.rows().filter(pk__lt=after)
    found = list(rows[: SIZE + 1])
    context = {
        "deliveries": found[:SIZE],
        "outcomes": [("", "any", not filters.outcome)]
        + [(value, word, value == filters.outcome) for value, word in Outcome.choices],
        "events": [("", "any", not filters.event)]
        + [(name, name, name == filters.event) for name in endpoints.EVENTS],
        "job": filters.job,
        "file": filters.file,
        "active": bool(filters.terms),
        "is_first": after is None,
        "here": filters.url(),
        "follow": filters.url(newer=found[0].pk if found else 0),
        "older": filters.url(after=found[SIZE - 1].pk) if len(found) > SIZE else "",
    }
    return render(request, "webhooks/deliveries.html", context)


def _follow(request: HttpRequest, filters: Filters, newer: int) -> HttpResponse:
    """The rows that have come since; nothing to swap where there are none."""
    found = list(filters.rows().filter(pk__gt=newer)[: SIZE + 1])
    if not found:
        return HttpResponse(status=204)
    if len(found) > SIZE:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"deliveries": found, "follow": filters.url(newer=found[0].pk)}
    return render(request, "webhooks/_new_deliveries.html", context)
