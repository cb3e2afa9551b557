"""One file's page, and archiving and restoring it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseForbidden
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from dashboard import workers
from dashboard.cards import lineage
from dashboard.cards.file import Tile, may_act
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.library.copies_page import copy_of
from dashboard.library.sharing import Sharing
from executions import policy
from executions.files import actions as file_actions
from executions.models import File

NOT_ALLOWED = "Only the file’s owner or an admin can do this."


@require_GET
def detail(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    file = get_object_or_404(
        policy.visible_to(
            request.user, File.objects.select_related("created_by", "public_by", "copy_request")
        ),
        pk=pk,
    )
    context = {
        "tile": Tile(file, request.user),
        "sharing": Sharing(file),
        "copy": copy_of(file),
        "related_jobs": lineage.file_lineage(file, request.user),
        "story": lineage.file_history(file, request.user),
    }
    return render(request, "library/detail.html", context)


@require_POST
def archive(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    file = get_object_or_404(policy.visible_to(request.user, File.objects.all()), pk=pk)
    if not may_act(request.user, file):
        return HttpResponseForbidden(NOT_ALLOWED)
    if file_actions.archive(file, request.user):
        workers.wake_file_workers()
    # The page says that it is archived, and offers to restore it.
    return see_other("file", pk)


@require_POST
def restore(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    file = get_object_or_404(policy.visible_to(request.user, File.objects.all()), pk=pk)
    if not may_act(request.user, file):
        return HttpResponseForbidden(NOT_ALLOWED)
    if file_actions.restore(file, request.user):
        workers.wake_file_workers()
        message = "The file is back in the library."
        if file.archive_reported_at is not None:
            message += " VideoGen’s own lists still hide it, because its API cannot restore files."
        messages.success(request, message)
    return see_other("file", pk)
