"""Bulk actions on jobs selected in the History: review, confirm, carry out once, and report each outcome."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import (
    Http404,
    HttpResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard import workers
from dashboard.history.bulk_page import SelectionPage
from dashboard.history.query import parse_query
from dashboard.http.params import as_uuid
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from executions import policy
from executions.batches import bulk_actions
from executions.exports import zip_archive
from executions.models import Selection
from executions.models.selection import Act

REASON_REQUIRED = "Enter a reason. It is stored with the jobs."


@require_POST
def choose(request: AuthenticatedRequest) -> HttpResponse:
    """Store the selected jobs as a selection and show it for confirmation."""
    act = request.POST.get("act", "")
    ids = [pk for each in request.POST.getlist("job")[: bulk_actions.MAX_SELECTED] if (pk := as_uuid(each))]
    selection = (
        bulk_actions.create_selection(ids, Act(act), actor=request.user)
        if act in Act.values and ids
        else None
    )
    if selection is None:
        messages.info(request, "No jobs selected. Select jobs first, then choose an action.")
        return see_other(parse_query(QueryDict(request.POST.get("query", "")[:4000])).url())
    return see_other("selection", selection.pk)


@require_http_methods(["GET", "POST"])
def confirm(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """The selected jobs for confirmation, and their outcomes afterwards. POST carries out the action, or resumes an
    interrupted one. Only for the person who selected them."""
    selection = get_object_or_404(policy.visible_to(request.user, Selection.objects.all()), pk=pk)
    page = SelectionPage(selection, request.user)
    if request.method == "POST" and not page.is_open and not page.left:
        return see_other("selection", pk)  # already done: show the report
    if request.method == "POST":
        reason = " ".join(request.POST.get("reason", "").replace("\x00", "").split())[:200]
        if page.is_open and page.needs_reason and not reason:
            page.problem = REASON_REQUIRED
            page.load()
            return render(request, "history/bulk_action.html", {"page": page}, status=422)
        bulk_actions.run(selection, actor=request.user, reason=reason)
        workers.wake()
        workers.wake_file_workers()
        return see_other("selection", pk)
    page.load()
    return render(request, "history/bulk_action.html", {"page": page})


@require_GET
def results(request: AuthenticatedRequest, pk: uuid.UUID) -> StreamingHttpResponse:
    """All results of the selected jobs as one streamed ZIP."""
    own = policy.visible_to(request.user, Selection.objects.all())
    selection = get_object_or_404(own, pk=pk, act=Act.DOWNLOAD)
    wanted = zip_archive.export_selection(selection, request.user)
    if not wanted:
        raise Http404("None of these jobs has a result.")
    headers = {
        "Content-Disposition": content_disposition_header(True, "results.zip"),
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(zip_archive.stream(wanted), content_type="application/zip", headers=headers)
