"""The audit log for admins, its exports, and the evidence of a job."""

from __future__ import annotations

import uuid

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden, StreamingHttpResponse
from django.shortcuts import aget_object_or_404, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from dashboard.audit.page import COLUMNS, AuditPage, AuditQuery
from dashboard.http import table_export
from dashboard.http.decorators import requires
from dashboard.http.requests import AuthenticatedRequest
from executions import policy
from executions.audit import hash_chain, verification
from executions.exports import evidence, tables
from executions.models import Event, Execution
from executions.policy import Action

# Unsealed events are counted up to this many.
MAX_UNSEALED_COUNTED = 1000


@requires(Action.AUDIT_VIEW)
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    head = hash_chain.head()
    unsealed = Event.objects.unsealed()[: MAX_UNSEALED_COUNTED + 1].count()
    context = {
        "page": AuditPage(request.GET),
        "head": head,
        "sealed_at": hash_chain.recorded_at(head),
        "unsealed": min(unsealed, MAX_UNSEALED_COUNTED),
        "has_more_unsealed": unsealed > MAX_UNSEALED_COUNTED,
        "verification": verification.latest(),
    }
    return render(request, "audit/index.html", context)


@requires(Action.AUDIT_VIEW)
@require_GET
def export(request: AuthenticatedRequest, kind: str) -> StreamingHttpResponse:
    """All events that match the filters, as CSV or JSON Lines."""
    if kind not in table_export.KINDS:
        raise Http404("Exports are available as .csv and .jsonl.")
    query = AuditQuery(request.GET)
    tables.record_audit_export(filters=query.terms, file_format=kind, actor=request.user)
    return table_export.stream(f"audit-{timezone.now():%Y-%m-%d}", COLUMNS, query.each(), kind)


@require_GET
async def download_evidence(
    request: AuthenticatedRequest, pk: uuid.UUID
) -> HttpResponse | StreamingHttpResponse:
    """The evidence of a job as one ZIP, for its owner and admins."""
    user = await request.auser()
    execution = await aget_object_or_404(policy.visible_to(user, Execution.objects.all()), pk=pk)
    if not policy.can(user, Action.JOB_EXPORT_EVIDENCE, execution):
        return HttpResponseForbidden("Only the job’s owner or an admin can export its evidence.")
    found = await sync_to_async(evidence.export)(pk, user)
    headers = {
        "Content-Disposition": content_disposition_header(True, f"evidence-{pk}.zip"),
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(evidence.stream(found), content_type="application/zip", headers=headers)
