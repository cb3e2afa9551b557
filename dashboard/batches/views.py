"""Batches: made from lines, a table or files, looked over, started, watched, stopped, taken home."""

from __future__ import annotations

import uuid
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseForbidden,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import aget_object_or_404, get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from dashboard import workers
from dashboard.batches import csv_import
from dashboard.batches.new_form import NewBatch
from dashboard.batches.pages import BatchList, JobsPage, PlanPage, cancel_lines
from dashboard.cards import job as job_card
from dashboard.cards.batch import batch_card
from dashboard.forms.batch_rows import Library, check_again
from dashboard.http.requests import AuthenticatedRequest
from executions import policy, statuses, tools
from executions.audit import record as audit_log
from executions.batches import service as batches
from executions.batches.rows import of_plan
from executions.core import chunked, runtime
from executions.exports import zip_archive
from executions.models import Batch, BatchCancel, BatchPlan
from executions.models.event import ActKind
from executions.policy import Action

PROBLEMS_SHOWN = 50
NOT_YOURS = "Only the person who started a batch, or an admin, may stop it."


@require_GET
def index(request: AuthenticatedRequest) -> HttpResponse:
    request.live_topic = "batches"
    return render(request, "batches/index.html", {"page": BatchList(request.user, request.GET)})


# --- making one -------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def new(request: AuthenticatedRequest) -> HttpResponse:
    """The form; POST checks every row and leads to the preview, or shows what is wrong with which row."""
    if request.method == "GET":
        return _new(request, NewBatch(request.GET))
    upload = request.FILES.get("table")
    change = request.POST.get("change", "")
    if change:
        kind, _, value = change.partition(":")
        data = request.POST.copy()
        if kind in ("tool", "way"):
            data[kind] = value
        return _new(request, NewBatch(data, upload))
    form = NewBatch(request.POST, upload, bound=True)
    if form.tool is None or not form.is_valid():
        return _new(request, form, status=422)
    rows = form.checked.rows
    made = batches.plan(form.tool, rows, name=form.named(len(rows)), actor=request.user)
    return _see(redirect("batch-plan", made.pk))


def _new(request: HttpRequest, form: NewBatch, status: int = 200) -> HttpResponse:
    shown = form.problems[:PROBLEMS_SHOWN]
    context = {"form": form, "problems": shown, "more_problems": len(form.problems) - len(shown)}
    return render(request, "batches/new.html", context, status=status)


@require_GET
def template(request: HttpRequest, slug: str) -> HttpResponse:
    tool = tools.available().get(slug)
    if tool is None:
        raise Http404("Your API version does not have this tool.")
    names = request.GET.getlist("file")[: batches.MOST_ROWS]
    library = Library(names)
    files = dict.fromkeys(library.by_name[name] for name in names if name in library.by_name)
    fitting = [file for file in files if tool.field_for(file.type)]
    headers = {"Content-Disposition": content_disposition_header(True, f"{slug}.csv")}
    return HttpResponse(
        csv_import.template(tool, fitting), content_type="text/csv; charset=utf-8", headers=headers
    )


@require_http_methods(["GET", "POST"])
def plan(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """What exactly would be started. Only the person who made it sees it, and says yes."""
    found = get_object_or_404(
        policy.visible_to(request.user, BatchPlan.objects.select_related("batch")), pk=pk
    )
    if request.method == "POST" and found.batch_id is None:
        try:
            batches.confirm(found.pk, actor=request.user, only_new=request.POST.get("only") == "new")
        except ValueError as error:
            messages.warning(request, str(error))
            return _see(redirect("batch-plan", pk))
        found.refresh_from_db()
    if found.batch_id is not None:
        return _see(redirect("batch", found.batch_id))
    return render(request, "batches/review.html", {"page": PlanPage(found)})


# --- one batch --------------------------------------------------------------------------------------------


@require_GET
def detail(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    batch = _batch(pk)
    request.live_topic = f"batch:{pk}"
    context = {
        "batch": batch_card(batch, job_card.audience(request.user, batch.created_by_id)),
        "page": JobsPage(request.user, batch, request.GET),
    }
    return render(request, "batches/detail.html", context)


@require_POST
def undo(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    batch = _batch(pk)
    if not _may_stop(request, batch):
        return HttpResponseForbidden(NOT_YOURS)
    try:
        batches.undo(batch, actor=request.user)
    except batches.TooLate as error:
        messages.warning(request, str(error))
    return _see(redirect("batch", pk))


@require_POST
def again(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """A preview of what failed (or was cancelled), to be run again as a batch of one's own."""
    batch = _batch(pk)
    status = request.GET.get("status", statuses.FAILED)
    if status not in (statuses.FAILED, statuses.CANCELLED):
        return HttpResponse("Only what failed or was cancelled can be run again.", status=400)
    tool = tools.available().get(batch.tool)
    made = batches.plan_again(batch, status, actor=request.user) if tool else None
    if tool is None or made is None:
        messages.info(request, "There is nothing to run again.")
        return _see(redirect("batch", pk))
    problems = check_again(tool, of_plan(made)).problems
    if problems:
        batches.discard(made, actor=request.user)
        first = problems[0]
        messages.error(request, f"Nothing was started. Job {first.number}: {first.words}")
        return _see(redirect("batch", pk))
    return _see(redirect("batch-plan", made.pk))


@require_POST
def cancel(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Name what a cancel would hit, and ask once more."""
    batch = _batch(pk)
    if not _may_stop(request, batch):
        return HttpResponseForbidden(NOT_YOURS)
    wish = batches.plan_cancel(batch, actor=request.user)
    if wish is None:
        messages.info(request, "Everything in this batch has ended: there is nothing to cancel.")
        return _see(redirect("batch", pk))
    return _see(redirect("batch-cancel-confirm", pk, wish.pk))


@require_http_methods(["GET", "POST"])
def confirm_cancel(request: AuthenticatedRequest, pk: uuid.UUID, wish: uuid.UUID) -> HttpResponse:
    """The jobs that were named; POST cancels those. Afterwards what became of each."""
    batch = _batch(pk)
    if not _may_stop(request, batch):
        return HttpResponseForbidden(NOT_YOURS)
    found = get_object_or_404(BatchCancel, pk=wish, batch=batch)
    if request.method == "POST":
        batches.cancel(found, actor=request.user)
        workers.wake()
        return _see(redirect("batch-cancel-confirm", pk, wish))
    context = {
        "batch": batch_card(batch, job_card.audience(request.user, batch.created_by_id)),
        "wish": found,
        "lines": cancel_lines(request.user, found),
        "left": chunked.remaining(found),
        "is_under_way": chunked.is_running(found),
    }
    return render(request, "batches/cancel.html", context)


@require_safe
async def results(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse | StreamingHttpResponse:
    """Everything that the batch made, as one ZIP that is never held as a whole."""
    batch = await aget_object_or_404(Batch, pk=pk)
    wanted = await runtime.in_reader(zip_archive.wanted, batch)
    if not wanted:
        raise Http404("Nothing of this batch is done yet.")
    name = f"{slugify(batch.name)[:60] or 'batch'}.zip"
    headers = {
        "Content-Disposition": content_disposition_header(True, name),
        "Cache-Control": "no-store",
    }
    if request.method == "HEAD":
        return HttpResponse(content_type="application/zip", headers=headers)
    actor_id = policy.require(await request.auser(), Action.FILE_TAKE)
    await sync_to_async(audit_log.record)(ActKind.EXPORTED, actor_id=actor_id, subject=batch, name=batch.name, results=len(wanted))  # fmt: skip
    return StreamingHttpResponse(zip_archive.stream(wanted), content_type="application/zip", headers=headers)


def _batch(pk: uuid.UUID) -> Batch:
    return get_object_or_404(Batch.objects.select_related("created_by"), pk=pk)


def _may_stop(request: AuthenticatedRequest, batch: Batch) -> bool:
    return policy.can(request.user, Action.BATCH_CANCEL, batch)


def _see(response: HttpResponseRedirect, **_: Any) -> HttpResponseRedirect:
    """After a POST the next page is asked for by GET, whatever the browser would do by itself."""
    response.status_code = 303
    return response
