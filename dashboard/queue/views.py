"""The queue: list queued jobs, pause, resume, prioritise and edit them; for admins, pause the whole queue."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard import workers
from dashboard.cards import job as job_card
from dashboard.cards.limit_gauge import Gauge
from dashboard.forms.tool_form import ToolForm
from dashboard.http.decorators import requires
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.live import renderer
from executions import policy, tools
from executions.lifecycle import create, queue_actions, queue_state
from executions.lifecycle.estimates import QueueSnapshot
from executions.models import Batch, Execution
from executions.policy import Action

MAX_ROWS = 100
NOT_ALLOWED = "Only the person who started a job, or an admin, may change when it is sent."
NOT_EDITABLE = (
    "It depends on another job's result, or its tool is no longer available. Cancel it and start a new job."
)
ALREADY_SENT = "Too late: the job has already been sent. You can cancel it or let it run."


@require_GET
def queue(request: AuthenticatedRequest) -> HttpResponse:
    """The queued jobs in order, and the paused ones."""
    request.live_topic = "queue"
    snapshot = QueueSnapshot()
    line = list(Execution.objects.send_queue().for_cards()[:MAX_ROWS])
    paused = Execution.objects.paused().for_cards()
    count = Execution.objects.send_queue().count() if len(line) == MAX_ROWS else len(line)
    context = {
        "line": job_card.loaded_cards(request.user, line, snapshot),
        "count": count,
        "is_cut": count > len(line),
        "paused": job_card.loaded_cards(request.user, paused.newest_first()[:MAX_ROWS], snapshot),
        "queue": snapshot.queue,
        "can_pause_all": policy.can(request.user, Action.QUEUE_PAUSE),
        "gauge": Gauge(snapshot.starts),
    }
    return render(request, "queue/index.html", context)


@require_POST
def pause(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    return _act(request, pk, queue_actions.pause)


@require_POST
def resume(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    return _act(request, pk, queue_actions.resume)


@require_POST
def front(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    return _act(request, pk, queue_actions.move_to_front)


def _act(request: AuthenticatedRequest, pk: uuid.UUID, act: Callable[..., bool]) -> HttpResponse:
    """Apply an action: members to their own jobs, admins to any. Reports if the job has already been sent."""
    execution = get_object_or_404(policy.visible_to(request.user, Execution.objects.all()), pk=pk)
    if not policy.can(request.user, Action.JOB_PAUSE, execution):
        return HttpResponseForbidden(NOT_ALLOWED)
    is_done = act(execution, actor=request.user)
    if is_done:
        workers.wake()
    execution.refresh_from_db()
    if request.htmx:
        return HttpResponse(renderer.fragments(("studio", "job"), pk, request.user, execution.status))
    if not is_done and not execution.is_to_send:
        messages.warning(request, ALREADY_SENT)
    return see_other("execution", pk)


@require_http_methods(["GET", "POST"])
def edit(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """The tool's form with the job's settings. Saved only if the job has not been sent."""
    execution = get_object_or_404(policy.visible_to(request.user, Execution.objects.for_cards()), pk=pk)
    audience = job_card.audience(request.user, execution.created_by_id)
    if not policy.can(request.user, Action.JOB_EDIT, execution):
        return HttpResponseForbidden("Only the person who started a job, or an admin, may edit it.")
    card = job_card.card(execution, audience)
    offered = tools.available().get(execution.tool)
    if offered is None or execution.after_id is not None:
        return _edit_page(request, card, None, NOT_EDITABLE, status=409)
    # Editing cannot turn a job into a chain.
    tool = replace(offered, recording_field="")
    if request.method == "GET":
        if not card.is_waiting:
            return _edit_page(request, card, None, ALREADY_SENT, status=409)
        return _edit_page(request, card, ToolForm(tool, initial=tool.values(execution.request_body)))
    form = ToolForm(tool, request.POST)
    if not form.is_valid():
        return _edit_page(request, card, form, "" if card.is_waiting else ALREADY_SENT, status=422)
    before = execution.request_body
    if card.is_waiting and request.POST.get("seen") != create.fingerprint(tool, before):
        return _edit_page(
            request,
            card,
            form,
            "Another person edited it in the meantime. Check the current settings.",
            status=409,
        )
    if card.is_waiting and form.body == before:
        return see_other("execution", pk)
    if not queue_actions.edit(execution, tool, form.body, before=before, actor=request.user):
        execution.refresh_from_db()
        # The input is kept, so that it can be started as a new job.
        return _edit_page(
            request, job_card.card(execution, audience), form.renewed(), ALREADY_SENT, status=409
        )
    messages.success(request, "Saved. The job will be sent with these settings.")
    return see_other("execution", pk)


def _edit_page(
    request: HttpRequest, card: job_card.Card, form: ToolForm | None, refusal: str = "", status: int = 200
) -> HttpResponse:
    if form is not None:
        form.load()
    context = {
        "card": card,
        "composer": form,
        "tool": card.tool,
        "refusal": refusal,
        "seen": create.fingerprint(card.tool, card.execution.request_body),
    }
    return render(request, "queue/edit.html", context, status=status)


@requires(Action.QUEUE_PAUSE)
@require_POST
def pause_all(request: AuthenticatedRequest) -> HttpResponse:
    """Stop sending jobs. Jobs that VideoGen has accepted continue."""
    queue_state.pause_all(actor=request.user)
    return see_other("queue")


@requires(Action.QUEUE_RESUME)
@require_POST
def resume_all(request: AuthenticatedRequest) -> HttpResponse:
    if queue_state.resume_all(actor=request.user):
        workers.wake()
    return see_other("queue")


@require_POST
def batch(request: AuthenticatedRequest, pk: uuid.UUID, what: str) -> HttpResponse:
    """Pause or resume the queued jobs of a batch."""
    found = get_object_or_404(policy.visible_to(request.user, Batch.objects.all()), pk=pk)
    if not policy.can(request.user, Action.BATCH_PAUSE, found):
        return HttpResponseForbidden(
            "Only the person who started a batch, or an admin, may pause or resume it."
        )
    acts: dict[str, Any] = {"pause": queue_actions.pause_batch, "resume": queue_actions.resume_batch}
    if not acts[what](found, actor=request.user):
        messages.info(request, f"This batch has no jobs to {what}.")
    elif what == "resume":
        workers.wake()
    return see_other("batch", pk)
