"""Copies of files in our storage: requests for one or many, and the page of all copies."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard import workers
from dashboard.cards.file import Tile
from dashboard.http.decorators import requires
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.library.copies_page import CopiesPage
from executions import policy
from executions.batches import service as batches
from executions.copies import requests as copy_requests
from executions.models import File
from executions.policy import Action
from executions.team import settings as team_settings

MAX_FILES = batches.MAX_ROWS  # as many as can be selected in the library
# (hue, icon, label) of each outcome.
_OTHER = {
    copy_requests.CopyOutcome.IN_PROGRESS: ("running", "clock", "already in progress"),
    copy_requests.CopyOutcome.COPIED: ("succeeded", "hard-drive", "already copied"),
    copy_requests.CopyOutcome.GONE: ("failed", "cloud-off", "VideoGen no longer has it"),
    copy_requests.CopyOutcome.NOT_READY: ("failed", "circle-alert", "not ready"),
}
PLANNED = {copy_requests.CopyOutcome.REQUESTED: ("queued", "hard-drive-download", "will be copied"), **_OTHER}
DONE = {copy_requests.CopyOutcome.REQUESTED: ("running", "clock", "in progress"), **_OTHER}


@require_POST
def request_copy(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Requests a copy. Anyone who sees the file may: it harms no one, and the file may be gone later."""
    file = get_object_or_404(policy.visible_to(request.user, File.objects.all()), pk=pk)
    if file.gone_at is not None and file.copied_at is None:
        messages.error(request, "VideoGen no longer has this file, so there is nothing to copy.")
    elif copy_requests.request_copy(file, request.user):
        workers.wake_file_workers()
    elif file.copied_at is None:
        messages.error(request, "Only a file that is ready can be copied.")
    return see_other(f"{reverse('file', args=[pk])}#copy")


@require_http_methods(["GET", "POST"])
def request_many(request: AuthenticatedRequest) -> HttpResponse:
    """Lists the selected files and what a copy request would lead to. POST requests exactly these and reports.

    POST with `review` only lists them, because a URL is too short for many files.
    """
    given = request.POST if request.method == "POST" else request.GET
    is_done = request.method == "POST" and "review" not in given
    selected = [name for name in dict.fromkeys(given.getlist("file")) if "\x00" not in name]
    names = selected[:MAX_FILES]
    by_name = File.objects.select_related("created_by").by_remote_id(names)
    files = [by_name[name] for name in names if name in by_name]
    if not files:
        messages.info(request, "Select the files to copy in the library.")
        return see_other("files")
    outcomes = (
        copy_requests.request_copies(files, request.user)
        if is_done
        else copy_requests.preview_outcomes(files)
    )
    if is_done:
        workers.wake_file_workers()
    labels = DONE if is_done else PLANNED
    lines = [(Tile(file, request.user), *labels[outcomes[file.pk]]) for file in files]
    count = sum(outcome is copy_requests.CopyOutcome.REQUESTED for outcome in outcomes.values())
    excess = {"left_out": len(selected) - len(names), "max_files": MAX_FILES}
    return render(
        request,
        "library/copy_selected.html",
        {"lines": lines, "count": count, "is_done": is_done, **excess},
    )


@require_GET
def copies(request: AuthenticatedRequest) -> HttpResponse:
    return render(request, "library/copies.html", {"page": CopiesPage(request.user)})


@requires(Action.SETTING_CHANGE)
@require_POST
def change_setting(request: AuthenticatedRequest) -> HttpResponse:
    """Saves whether every file is copied or, with `again`, retries all failed copies."""
    if "again" in request.POST:
        retried = copy_requests.retry_failed(request.user)
        messages.success(request, "Retrying one copy." if retried == 1 else f"Retrying {retried} copies.")
    elif team_settings.change(team_settings.COPY_ALL, "all" in request.POST, actor=request.user):
        messages.success(request, "Saved.")
    workers.wake_file_workers()
    return see_other("copies")
