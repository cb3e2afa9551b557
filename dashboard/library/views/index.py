"""The grid of files, and the wish to look for new ones in the account."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from dashboard import workers
from dashboard.http.requests import AuthenticatedRequest
from dashboard.library.page import LibraryPage
from executions.sync import file_import


@require_GET
def grid(request: AuthenticatedRequest) -> HttpResponse:
    page = LibraryPage(request.user, request.GET)
    if request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request:
        return render(request, "library/_file_tiles.html", {"page": page})
    if not page.after:
        # Somebody looks: if it is time, the account is asked what is new.
        workers.look_at_files()
    return render(request, "library/index.html", {"page": page})


@require_POST
def sync(request: HttpRequest) -> HttpResponse:
    """Look for new files in the account now."""
    file_import.ask_soon(request.user)
    workers.look_at_files()
    messages.info(request, "Rushes asks VideoGen for files that were made elsewhere. New ones appear here.")
    return HttpResponseRedirect(reverse("files"), status=303)
