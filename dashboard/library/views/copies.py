"""Copies of files in our own storage: the wish for one, and all of them together."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard import workers
from dashboard.cards.file import Tile
from dashboard.http.decorators import requires
from dashboard.http.requests import AuthenticatedRequest
from dashboard.library.copies_page import CopiesPage
from executions.batches import service as batches
from executions.copies import requests as copy_requests
from executions.models import File
from executions.policy import Action
from executions.team import settings as team_settings

MOST = batches.MOST_ROWS  # files at once, as many as the library lets one choose
# (hue, icon, words) for what becomes of each wish.
_OTHER = {
    copy_requests.Outcome.ON_ITS_WAY: ("running", "clock", "is on its way already"),
    copy_requests.Outcome.KEPT: ("succeeded", "hard-drive", "is kept already"),
    copy_requests.Outcome.GONE: ("failed", "cloud-off", "VideoGen no longer has it"),
    copy_requests.Outcome.NOT_READY: ("failed", "circle-alert", "is not ready"),
}
TO_DO = {copy_requests.Outcome.ASKED: ("queued", "hard-drive-download", "will be copied"), **_OTHER}
DONE = {copy_requests.Outcome.ASKED: ("running", "clock", "is on its way"), **_OTHER}


@require_POST
def keep(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """Whoever sees a file may keep it: it harms nobody, and later it may be too late."""
    file = get_object_or_404(File, pk=pk)
    if file.gone_at is not None and file.kept_at is None:
        messages.error(request, "VideoGen no longer has this file: there is nothing to copy.")
    elif copy_requests.ask(file, request.user):
        workers.look_at_files()
    elif file.kept_at is None:
        messages.error(request, "Only a file that is ready can be kept.")
    return HttpResponseRedirect(f"{reverse('file', args=[pk])}#copy", status=303)


@require_http_methods(["GET", "POST"])
def keep_many(request: AuthenticatedRequest) -> HttpResponse:
    """Names the chosen files and what asking for their copies leads to; POST asks for exactly these, and reports.

    POST with `ask` only names them, too: an address is too short for many files.
    """
    given = request.POST if request.method == "POST" else request.GET
    is_done = request.method == "POST" and "ask" not in given
    chosen = [name for name in dict.fromkeys(given.getlist("file")) if "\x00" not in name]
    names = chosen[:MOST]
    known = {
        file.remote_id: file for file in File.objects.filter(remote_id__in=names).select_related("created_by")
    }
    files = [known[name] for name in names if name in known]
    if not files:
        messages.info(request, "Tick the files in the library that are to be kept.")
        return HttpResponseRedirect(reverse("files"), status=303)
    outcomes = copy_requests.ask_for(files, request.user) if is_done else copy_requests.outlook(files)
    if is_done:
        workers.look_at_files()
    words = DONE if is_done else TO_DO
    lines = [(Tile(file, request.user), *words[outcomes[file.pk]]) for file in files]
    count = sum(outcome is copy_requests.Outcome.ASKED for outcome in outcomes.values())
    left_out = {"left_out": len(chosen) - len(names), "most": MOST}
    return render(
        request,
        "library/copy_selected.html",
        {"lines": lines, "count": count, "is_done": is_done, **left_out},
    )


@require_GET
def copies(request: AuthenticatedRequest) -> HttpResponse:
    return render(request, "library/copies.html", {"page": CopiesPage(request.user)})


@requires(Action.SETTING_CHANGE)
@require_POST
def choose(request: AuthenticatedRequest) -> HttpResponse:
    """Whether every file is kept; or another try for all that could not be."""
    if "again" in request.POST:
        tried = copy_requests.ask_again(request.user)
        messages.success(
            request, "One copy is tried again." if tried == 1 else f"{tried} copies are tried again."
        )
    elif team_settings.choose(team_settings.KEEP_ALL, "all" in request.POST, actor=request.user):
        messages.success(request, "Saved.")
    workers.look_at_files()
    return HttpResponseRedirect(reverse("copies"), status=303)
