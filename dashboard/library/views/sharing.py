"""Publishing and withdrawing a file, its public preview, and the list of public files."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseForbidden
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from dashboard import workers
from dashboard.cards import lineage
from dashboard.cards.file import Tile, may_act, public_reason, tiles_for
from dashboard.http.params import PageCursor, as_uuid
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.library.copies_page import copy_of
from dashboard.library.sharing import PublishForm, Sharing
from dashboard.library.views.detail import NOT_ALLOWED
from executions import policy
from executions.core import keyset
from executions.core.sync_bridge import wait_for
from executions.files import actions as file_actions
from executions.models import File
from executions.models.event import FileKind
from executions.videogen import VideoGenError

PAGE_SIZE = 50
TIMED_OUT = "VideoGen did not respond in time. Reload this page in a moment before you try again."


@require_POST
def publish(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    file = get_object_or_404(
        policy.visible_to(request.user, File.objects.select_related("created_by", "public_by")), pk=pk
    )
    if not may_act(request.user, file):
        return HttpResponseForbidden(NOT_ALLOWED)
    form = PublishForm(request.POST)
    reason = public_reason(file)
    if reason:
        form.add_error(None, reason)
    if form.is_valid():
        try:
            wait_for(file_actions.publish, file, form.cleaned_data["until"], request.user)
        except VideoGenError as error:
            form.add_error(None, f"VideoGen did not make the file public: {error.message}")
        except TimeoutError:
            form.add_error(None, TIMED_OUT)
        else:
            workers.wake_file_workers()
            messages.success(request, "The file is public: anyone with the link can view it.")
            return see_other(f"{reverse('file', args=[pk])}#public")
    file = File.objects.select_related("created_by", "public_by", "copy_request").get(pk=pk)
    context = {
        "tile": Tile(file, request.user),
        "sharing": Sharing(file),
        "copy": copy_of(file),
        "related_jobs": lineage.file_lineage(file, request.user),
        "story": lineage.file_history(file, request.user),
        "form": form,
    }
    return render(request, "library/detail.html", context, status=422)


@require_POST
def withdraw(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    file = get_object_or_404(policy.visible_to(request.user, File.objects.all()), pk=pk)
    if not may_act(request.user, file):
        return HttpResponseForbidden(NOT_ALLOWED)
    back = reverse("files-public") if request.POST.get("from") == "register" else reverse("file", args=[pk])
    try:
        wait_for(file_actions.withdraw, file, request.user)
    except VideoGenError as error:
        messages.error(
            request, f"VideoGen did not withdraw the link, so the file may still be public: {error.message}"
        )
    except TimeoutError:
        messages.error(request, TIMED_OUT)
    else:
        messages.success(request, "Public link withdrawn. It no longer works.")
    return see_other(back)


@require_POST
def copied(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Records that a person copied the public link, as static/js/lib/copy-buttons.js reports."""
    file = get_object_or_404(policy.visible_to(request.user, File.objects.all()), pk=pk)
    if not Sharing(file).is_on:
        raise Http404("This file is not public.")
    file_actions.record_access(file, FileKind.LINK_COPIED, request.user)
    return HttpResponse(status=204)


@require_GET
def visitor_preview(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """The preview that visitors with the link see, without the layout of Rushes."""
    file = get_object_or_404(
        policy.visible_to(request.user, File.objects.select_related("created_by")), pk=pk
    )
    sharing = Sharing(file)
    if not sharing.is_on:
        raise Http404("This file is not public.")
    return render(
        request, "library/public_preview.html", {"tile": Tile(file, request.user), "sharing": sharing}
    )


@require_GET
def public_files(request: AuthenticatedRequest) -> HttpResponse:
    cursor = PageCursor(request.GET, as_uuid)
    files = File.objects.public().select_related("created_by", "public_by")
    page = keyset.page(files, size=PAGE_SIZE, after=cursor.after)
    context = {
        "tiles": tiles_for(request.user, page.rows),
        "next_url": cursor.next_url(reverse("files-public"), page),
        "after": cursor.after,
    }
    return render(request, "library/public_files.html", context)
