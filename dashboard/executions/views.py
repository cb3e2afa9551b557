"""A job's page, and its actions: cancel, run again, and link an unconfirmed job."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseForbidden
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from dashboard import workers
from dashboard.cards import job as job_card
from dashboard.cards import lineage
from dashboard.cards.error_advice import advice
from dashboard.cards.timeline import timeline
from dashboard.executions import code_samples
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.live import renderer
from dashboard.live.comments import comments_context
from executions import policy, tools
from executions.core import sync_bridge
from executions.lifecycle import cancel as canceling
from executions.lifecycle import create
from executions.models import Execution
from executions.policy import Action
from executions.sync import external_jobs, submit


@require_GET
def detail(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    return page(request, pk)


def page(request: AuthenticatedRequest, pk: uuid.UUID, *, status: int = 200, **comment: Any) -> HttpResponse:
    """The job's page. `comment` holds a rejected comment's `typed` text and `problem`."""
    execution = get_object_or_404(policy.visible_to(request.user, Execution.objects.for_cards()), pk=pk)
    audience = job_card.audience(request.user, execution.created_by_id)
    request.live_topic = f"job:{pk}"
    card = job_card.card(execution, audience)
    card.load()
    context = {
        "card": card,
        "can_view_audit": policy.can(request.user, Action.AUDIT_VIEW),
        "timeline": timeline(execution, audience),
        "advice": advice(execution.error or {}),
        "candidates": external_jobs.candidates(execution)
        if policy.can(request.user, Action.JOB_LINK, execution)
        else [],
        "request_json": job_card.pretty(
            tools.find(execution.tool).request(execution.request_body, settings.VIDEOGEN_API_ERA)
        ),
        "code_samples": code_samples.code_samples(execution),
        "related_jobs": lineage.job_lineage(execution, request.user),
        **comments_context(request.user, execution, **comment),
    }
    return render(request, "executions/detail.html", context, status=status)


@require_POST
def cancel(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Request a cancel. Members may cancel their own jobs, admins any; admins can allow it for the whole team."""
    execution = get_object_or_404(policy.visible_to(request.user, Execution.objects.all()), pk=pk)
    before = execution.status
    reason = " ".join(request.POST.get("reason", "").replace("\x00", "").split())
    try:
        is_requested = canceling.request(execution, actor=request.user, reason=reason)
    except policy.NotAllowed:
        return HttpResponseForbidden("Only the person who started a job, or an admin, may cancel it.")
    if is_requested:
        workers.process_soon(execution.pk)
    if not request.htmx:
        return see_other("execution", pk)
    return HttpResponse(renderer.fragments(("studio", "job"), pk, request.user, before))


@require_POST
def run_again(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Start a new job with the same request for this person. An unconfirmed job may then run twice."""
    execution = get_object_or_404(policy.visible_to(request.user, Execution.objects.all()), pk=pk)
    audience = job_card.audience(request.user, execution.created_by_id)
    if not job_card.card(execution, audience).may_start_again:
        return HttpResponseForbidden("You cannot run this job again.")
    new_job, _ = create.rerun(execution, actor=request.user, key=request.GET.get("key", "")[:32])
    sync_bridge.spawn(submit.send, new_job.pk)
    url = reverse("execution", args=[new_job.pk])
    return HttpResponse(headers={"HX-Redirect": url}) if request.htmx else see_other(url)


@require_POST
def link(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Link an unconfirmed job to one of the account's jobs. For its owner and admins."""
    execution = get_object_or_404(policy.visible_to(request.user, Execution.objects.all()), pk=pk)
    if not policy.can(request.user, Action.JOB_LINK, execution):
        return HttpResponseForbidden("Only the person who started a job, or an admin, may link it.")
    remote_id = request.POST.get("remote_id", "")
    if remote_id not in {candidate.remote_id for candidate in external_jobs.candidates(execution)}:
        messages.error(request, "That job can no longer be linked: it was resolved in the meantime.")
    elif external_jobs.link(pk, remote_id, actor=request.user):
        workers.process_soon(pk)
    return see_other("execution", pk)
