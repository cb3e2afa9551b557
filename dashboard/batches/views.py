"""Batches: create from lines, a table or files, review, start, undo, cancel, run again, and download."""

from __future__ import annotations

import uuid

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseForbidden,
    StreamingHttpResponse,
)
from django.shortcuts import aget_object_or_404, get_object_or_404, render
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from dashboard import workers
from dashboard.batches import csv_import
from dashboard.batches.new_form import NewBatch
from dashboard.batches.pages import BatchList, JobsPage, PlanPage, cancel_lines
from dashboard.cards import job as job_card
from dashboard.cards.batch import batch_card, batch_page_card
from dashboard.forms.batch_rows import Library, recheck
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from executions import policy, statuses, tools
from executions.batches import service as batches
from executions.batches.rows import plan_rows
from executions.core import chunked, runtime
from executions.exports import zip_archive
from executions.models import Batch, BatchCancel, BatchPlan
from executions.policy import Action

MAX_PROBLEMS = 50
NOT_ALLOWED = "Only the person who started a batch, or an admin, may cancel it."


@require_GET
def index(request: AuthenticatedRequest) -> HttpResponse:
    request.live_topic = "batches"
    return render(request, "batches/index.html", {"page": BatchList(request.user, request.GET)})


# --- create -----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def new(request: AuthenticatedRequest) -> HttpResponse:
    """The form. POST validates all rows, and leads to the review or shows the errors of each row."""
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
    plan_made = batches.plan(form.tool, rows, name=form.batch_name(len(rows)), actor=request.user)
    return see_other("batch-plan", plan_made.pk)


def _new(request: HttpRequest, form: NewBatch, status: int = 200) -> HttpResponse:
    form.load()
    shown = form.problems[:MAX_PROBLEMS]
    context = {"form": form, "problems": shown, "more_problems": len(form.problems) - len(shown)}
    return render(request, "batches/new.html", context, status=status)


@require_GET
def template(request: HttpRequest, slug: str) -> HttpResponse:
    tool = tools.available().get(slug)
    if tool is None:
        raise Http404("Your API version does not have this tool.")
    names = request.GET.getlist("file")[: batches.MAX_ROWS]
    library = Library(names)
    files = dict.fromkeys(library.by_name[name] for name in names if name in library.by_name)
    fitting = [file for file in files if tool.field_for(file.type)]
    headers = {"Content-Disposition": content_disposition_header(True, f"{slug}.csv")}
    return HttpResponse(
        csv_import.template(tool, fitting), content_type="text/csv; charset=utf-8", headers=headers
    )


@require_http_methods(["GET", "POST"])
def plan(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """The review of a plan; POST starts it. Only for the person who created it."""
    found = get_object_or_404(
        policy.visible_to(request.user, BatchPlan.objects.select_related("batch")), pk=pk
    )
    if request.method == "POST" and found.batch_id is None:
        try:
            batches.confirm(found.pk, actor=request.user, only_new=request.POST.get("only") == "new")
        except ValueError as error:
            messages.warning(request, str(error))
            return see_other("batch-plan", pk)
        found.refresh_from_db()
    if found.batch_id is not None:
        return see_other("batch", found.batch_id)
    return render(request, "batches/review.html", {"page": PlanPage(found)})


# --- one batch --------------------------------------------------------------------------------------------


@require_GET
def detail(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    batch = _batch(request, pk)
    request.live_topic = f"batch:{pk}"
    context = {
        "batch": batch_page_card(batch, job_card.audience(request.user, batch.created_by_id)),
        "page": JobsPage(request.user, batch, request.GET),
    }
    return render(request, "batches/detail.html", context)


@require_POST
def undo(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    batch = _batch(request, pk)
    if not _may_stop(request, batch):
        return HttpResponseForbidden(NOT_ALLOWED)
    try:
        batches.undo(batch, actor=request.user)
    except batches.TooLate as error:
        messages.warning(request, str(error))
    return see_other("batch", pk)


@require_POST
def run_again(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Plan a new batch from the failed (or cancelled) jobs, and show it for review."""
    batch = _batch(request, pk)
    status = request.GET.get("status", statuses.FAILED)
    if status not in (statuses.FAILED, statuses.CANCELLED):
        return HttpResponse("Only failed or cancelled jobs can be run again.", status=400)
    tool = tools.available().get(batch.tool)
    new_plan = batches.plan_rerun(batch, status, actor=request.user) if tool else None
    if tool is None or new_plan is None:
        messages.info(request, "There are no jobs to run again.")
        return see_other("batch", pk)
    problems = recheck(tool, plan_rows(new_plan)).problems
    if problems:
        batches.discard(new_plan, actor=request.user)
        first = problems[0]
        messages.error(request, f"Nothing was started. Job {first.number}: {first.message}")
        return see_other("batch", pk)
    return see_other("batch-plan", new_plan.pk)


@require_POST
def cancel(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Store the jobs that a cancel would affect, and show them for confirmation."""
    batch = _batch(request, pk)
    if not _may_stop(request, batch):
        return HttpResponseForbidden(NOT_ALLOWED)
    planned = batches.plan_cancel(batch, actor=request.user)
    if planned is None:
        messages.info(request, "All jobs in this batch have finished. There is nothing to cancel.")
        return see_other("batch", pk)
    return see_other("batch-cancel-confirm", pk, planned.pk)


@require_http_methods(["GET", "POST"])
def confirm_cancel(request: AuthenticatedRequest, pk: uuid.UUID, cancel_id: uuid.UUID) -> HttpResponse:
    """The jobs to cancel, and their outcomes afterwards. POST cancels them, or resumes an interrupted cancel."""
    batch = _batch(request, pk)
    if not _may_stop(request, batch):
        return HttpResponseForbidden(NOT_ALLOWED)
    cancels = policy.visible_to(request.user, BatchCancel.objects.all())
    found = get_object_or_404(cancels, pk=cancel_id, batch=batch)
    if request.method == "POST":
        batches.cancel(found, actor=request.user)
        workers.wake()
        return see_other("batch-cancel-confirm", pk, cancel_id)
    context = {
        "batch": batch_card(batch, job_card.audience(request.user, batch.created_by_id)),
        "cancel": found,
        "lines": cancel_lines(request.user, found),
        "left": chunked.remaining(found),
        "is_under_way": chunked.is_running(found),
    }
    return render(request, "batches/cancel.html", context)


@require_safe
async def results(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse | StreamingHttpResponse:
    """All results of the batch as one streamed ZIP."""
    user = await request.auser()
    batch = await aget_object_or_404(policy.visible_to(user, Batch.objects.all()), pk=pk)
    if request.method == "HEAD":
        wanted = await runtime.in_reader(zip_archive.batch_entries, batch)
    else:
        wanted = await sync_to_async(zip_archive.export_batch)(batch, user)
    if not wanted:
        raise Http404("This batch has no results yet.")
    name = f"{slugify(batch.name)[:60] or 'batch'}.zip"
    headers = {
        "Content-Disposition": content_disposition_header(True, name),
        "Cache-Control": "no-store",
    }
    if request.method == "HEAD":
        return HttpResponse(content_type="application/zip", headers=headers)
    return StreamingHttpResponse(zip_archive.stream(wanted), content_type="application/zip", headers=headers)


def _batch(request: AuthenticatedRequest, pk: uuid.UUID) -> Batch:
    return get_object_or_404(
        policy.visible_to(request.user, Batch.objects.select_related("created_by")), pk=pk
    )


def _may_stop(request: AuthenticatedRequest, batch: Batch) -> bool:
    return policy.can(request.user, Action.BATCH_CANCEL, batch)
