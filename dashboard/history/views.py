"""The history: filtered, paged, saved by name for the team, and taken along as a file."""

from __future__ import annotations

from django.contrib import messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseForbidden,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from dashboard.history import page as history_page
from dashboard.history.export import HEAD, export_rows
from dashboard.history.page import COLUMNS, HistoryPage
from dashboard.history.query import asked
from dashboard.http import table_export
from dashboard.http.requests import AuthenticatedRequest
from executions import policy
from executions.audit import record as audit_log
from executions.models import SavedFilter
from executions.models.event import ActKind
from executions.policy import Action
from executions.team import saved_filters

COOKIE, YEAR = "history_columns", 365 * 24 * 3600
# static/js/history.js does what these say.
KEYS = (
    ("j", "next job"),
    ("k", "the one before"),
    ("Enter", "open it"),
    ("x", "choose it, or not"),
    ("Shift x", "choose from the last one to here"),
    ("a", "choose all on this page"),
    ("Esc", "choose none"),
    ("/", "search"),
    ("n", "show what is new"),
    ("[ and ]", "page before, page after"),
    ("?", "these keys"),
)
NOT_YOURS = "Only whoever saved a view, or an admin, may remove it."


@require_GET
def page(request: AuthenticatedRequest) -> HttpResponse:
    found = HistoryPage(request.user, request.GET, request.COOKIES.get(COOKIE))
    request.live_topic = found.topic
    return render(request, "history/index.html", {"page": found, "terms": found.terms, "keys": KEYS})


@require_GET
def fresh(request: HttpRequest) -> HttpResponse:
    """How many jobs have come since, as the small button that shows them."""
    context = {
        "count": history_page.fresh(request.GET),
        "most": history_page.MOST_NEW,
        "url": _page_url(asked(request.GET).string()),
    }
    return render(request, "history/_new_jobs.html", context)


@require_POST
def columns(request: HttpRequest) -> HttpResponse:
    """Which columns the person wants to see; kept in their browser."""
    answer = _back(request)
    chosen = [name for name in request.POST.getlist("column") if name in COLUMNS]
    answer.set_cookie(
        COOKIE, " ".join(chosen), max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
    )
    return answer


@require_POST
def save(request: AuthenticatedRequest) -> HttpResponse:
    """Give the filters of an address a name that the whole team sees."""
    name = " ".join(request.POST.get("name", "").replace("\x00", "").split())[:80]
    query = asked(QueryDict(request.POST.get("query", "")[:4000])).string()
    if not name:
        messages.error(request, "A view needs a name to be saved under.")
    elif len(query) > 2000:
        messages.error(request, "This view has too many filters to be saved.")
    else:
        if saved_filters.save(name, query, actor=request.user) is None:
            messages.error(request, f"There is a view called “{name}” already: choose another name.")
        else:
            messages.success(request, f"Saved as “{name}”. The whole team can open it.")
    return _back(request)


@require_POST
def forget(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(SavedFilter, pk=pk)
    if not policy.can(request.user, Action.FILTER_DELETE, row):
        return HttpResponseForbidden(NOT_YOURS)
    saved_filters.remove(row, actor=request.user)
    messages.success(request, f"“{row.name}” is removed. The jobs are still there.")
    return _back(request)


@require_GET
def export(request: AuthenticatedRequest, kind: str) -> HttpResponseBase:
    """Everything that the filters let through, the newest first, however much that is."""
    actor_id = policy.require(request.user, Action.HISTORY_EXPORT)
    found = asked(request.GET)
    query = found.string(sort="", view="")
    audit_log.record(ActKind.EXPORTED, actor_id=actor_id, name="history", query=query, format=kind)
    return table_export.stream("history", HEAD, export_rows(found.filters), kind)


def _back(request: HttpRequest) -> HttpResponseRedirect:
    answer = HttpResponseRedirect(_page_url(asked(QueryDict(request.POST.get("query", "")[:4000])).string()))
    answer.status_code = 303
    return answer


def _page_url(query: str) -> str:
    return reverse("executions") + (f"?{query}" if query else "")
