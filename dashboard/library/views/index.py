"""The grid of files, and the request to import new ones from the account."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from dashboard import workers
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.library.page import LibraryPage
from executions.sync import file_import


@require_GET
def grid(request: AuthenticatedRequest) -> HttpResponse:
    page = LibraryPage(request.user, request.GET)
    if request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request:
        return render(request, "library/_file_tiles.html", {"page": page})
    if not page.after:
        # A visit imports new files of the account, if the last import is old enough.
        workers.wake_file_workers()
    context = {"page": page, "filters": page.filters(), "file_import": file_import.state()}
    return render(request, "library/index.html", context)


@require_POST
def sync(request: HttpRequest) -> HttpResponse:
    """Import new files of the account now."""
    file_import.request_sync(request.user)
    workers.wake_file_workers()
    messages.info(request, "Importing files made outside Rushes. New ones will appear here.")
    return see_other("files")
