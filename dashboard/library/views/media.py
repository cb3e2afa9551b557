"""Media links that do not expire: each redirects to a fresh signed URL, or serves our copy if VideoGen has no file."""

from __future__ import annotations

import uuid

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import aget_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard.http.requests import AuthenticatedRequest
from dashboard.library import media_responses
from executions import policy
from executions.files import actions as file_actions
from executions.files import signed_urls
from executions.models import File
from executions.models.event import FileKind
from executions.policy import Actor

# Seconds that a browser may reuse a redirect. The signed URL must be valid for longer than that.
REDIRECT_MAX_AGE = 30
COPY_UNREADABLE = (
    "VideoGen no longer has this file, and the Rushes copy cannot be read right now. "
    "Try again later, or ask an admin to check the storage for copies."
)


@require_safe
async def preview(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponseBase:
    return await _rendition(request, pk, "preview", "download")


@require_safe
async def thumbnail(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponseBase:
    return await _rendition(request, pk, "thumbnail", "preview", "download")


@require_safe
async def download(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The file as a download: our copy, or else proxied from VideoGen.

    A download writes an audit entry; a HEAD request or a view within a page does not.
    """
    file = await _file(request, pk)
    try:
        response = await media_responses.copy_response(request, file, as_download=True)
    except media_responses.CopyMissing:
        try:
            response = await media_responses.proxied_download(request, file)
        except (signed_urls.Gone, signed_urls.NotReady) as error:
            return _error_page(request, error, file)
    if response.status_code < 400 and _is_download(request):
        await sync_to_async(_record_download)(pk, (await request.auser()).pk)
    return response


def _is_download(request: HttpRequest) -> bool:
    """Whether to record it: neither media embedded in a page nor later ranges of a download count."""
    is_first = request.headers.get("Range", "bytes=0-").startswith("bytes=0-")
    is_embedded = request.headers.get("Sec-Fetch-Dest", "") in ("image", "video", "audio")
    return request.method == "GET" and is_first and not is_embedded


def _record_download(pk: uuid.UUID, actor: Actor) -> None:
    file_actions.record_access(File.objects.get(pk=pk), FileKind.DOWNLOADED, actor)


async def _file(request: AuthenticatedRequest, pk: uuid.UUID) -> File:
    # RequireSignIn has already read `user`; `auser()` would read it again, for every thumbnail of a page.
    return await aget_object_or_404(policy.visible_to(request.user, File.objects.all()), pk=pk)


async def _rendition(request: AuthenticatedRequest, pk: uuid.UUID, *renditions: str) -> HttpResponseBase:
    file = await _file(request, pk)
    if file.gone_at is not None and (copy := await _copy(request, file, renditions[0])):
        return copy
    try:
        url, seconds = await signed_urls.signed_url(file, renditions)
    except (signed_urls.Gone, signed_urls.NotReady) as error:
        copy = await _copy(request, file, renditions[0])
        # A copy without a thumbnail is not an unreadable copy.
        return copy or _error_page(request, error, file if renditions[0] != "thumbnail" else None)
    reuse = REDIRECT_MAX_AGE if seconds > 2 * REDIRECT_MAX_AGE else 0
    return HttpResponseRedirect(url, headers={"Cache-Control": f"private, max-age={reuse}"})


async def _copy(request: HttpRequest, file: File, rendition: str) -> HttpResponseBase | None:
    """Our copy of this rendition; None if there is none."""
    try:
        if rendition == "thumbnail":
            return await media_responses.copy_thumbnail_response(request, file)
        return await media_responses.copy_response(request, file, as_download=False)
    except media_responses.CopyMissing:
        return None


def _error_page(
    request: HttpRequest, error: signed_urls.Gone | signed_urls.NotReady, file: File | None = None
) -> HttpResponse:
    if isinstance(error, signed_urls.Gone) and file is not None and file.copied_at is not None:
        return render(request, "503.html", {"reason": COPY_UNREADABLE}, status=503)
    if isinstance(error, signed_urls.Gone):
        return render(request, "404.html", {"reason": str(error)}, status=404)
    return render(request, "503.html", {"reason": str(error)}, status=503)
