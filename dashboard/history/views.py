"""The History page, its saved views, and its exports."""

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
from django.views.decorators.http import require_GET, require_POST

from dashboard.history import page as history_page
from dashboard.history.page import COLUMNS, HistoryPage
from dashboard.history.query import parse_query
from dashboard.http import table_export
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from executions import policy
from executions.exports import tables
from executions.models import SavedFilter
from executions.policy import Action
from executions.team import saved_filters

COLUMNS_COOKIE = "history_columns"
COOKIE_MAX_AGE = 365 * 24 * 3600  # seconds
# Implemented in static/js/history.js.
SHORTCUTS = (
    ("j", "next job"),
    ("k", "previous job"),
    ("Enter", "open"),
    ("x", "select / deselect"),
    ("Shift x", "select from the last one to here"),
    ("a", "select all on this page"),
    ("Esc", "select none"),
    ("/", "search"),
    ("n", "show new jobs"),
    ("[ and ]", "previous, next page"),
    ("?", "show shortcuts"),
)
NOT_ALLOWED = "Only the person who saved a view, or an admin, can remove it."


@require_GET
def page(request: AuthenticatedRequest) -> HttpResponse:
    found = HistoryPage(request.user, request.GET, request.COOKIES.get(COLUMNS_COOKIE))
    request.live_topic = found.topic
    return render(
        request, "history/index.html", {"page": found, "terms": found.terms, "shortcuts": SHORTCUTS}
    )


@require_GET
def count_new(request: HttpRequest) -> HttpResponse:
    """The button with the number of new jobs."""
    count = history_page.count_new(request.GET)
    context = {
        "count": min(count, history_page.MAX_NEW),
        "has_more": count > history_page.MAX_NEW,
        "url": parse_query(request.GET).url(),
    }
    return render(request, "history/_new_jobs.html", context)


@require_POST
def columns(request: HttpRequest) -> HttpResponse:
    """Store the person's choice of columns in a cookie."""
    response = _redirect_back(request)
    chosen = [name for name in request.POST.getlist("column") if name in COLUMNS]
    response.set_cookie(
        COLUMNS_COOKIE,
        " ".join(chosen),
        max_age=COOKIE_MAX_AGE,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
    )
    return response


@require_POST
def save(request: AuthenticatedRequest) -> HttpResponse:
    """Save the filters of a URL as a named view for the whole team."""
    name = " ".join(request.POST.get("name", "").replace("\x00", "").split())[:80]
    query = parse_query(QueryDict(request.POST.get("query", "")[:4000])).string()
    if not name:
        messages.error(request, "Enter a name for the view.")
    elif len(query) > 2000:
        messages.error(request, "This view has too many filters to save.")
    else:
        if saved_filters.save(name, query, actor=request.user) is None:
            messages.error(request, f"A view named “{name}” already exists. Choose another name.")
        else:
            messages.success(request, f"Saved as “{name}”. The whole team can open it.")
    return _redirect_back(request)


@require_POST
def remove(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(policy.visible_to(request.user, SavedFilter.objects.all()), pk=pk)
    if not policy.can(request.user, Action.FILTER_DELETE, row):
        return HttpResponseForbidden(NOT_ALLOWED)
    saved_filters.remove(row, actor=request.user)
    messages.success(request, f"“{row.name}” was removed. Its jobs were not.")
    return _redirect_back(request)


@require_GET
def export(request: AuthenticatedRequest, kind: str) -> HttpResponseBase:
    """All matching jobs, newest first, however many there are."""
    found = parse_query(request.GET)
    query = found.string(sort="", view="")
    rows = tables.export_history(found.filters, query=query, file_format=kind, actor=request.user)
    return table_export.stream("history", tables.HISTORY_COLUMNS, rows, kind)


def _redirect_back(request: HttpRequest) -> HttpResponseRedirect:
    return see_other(parse_query(QueryDict(request.POST.get("query", "")[:4000])).url())
