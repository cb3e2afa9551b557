"""Links to media that never expire: each leads to a freshly signed address, or to our own copy where VideoGen has none."""

from __future__ import annotations

import uuid

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import aget_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard.http.requests import AuthenticatedRequest
from dashboard.library import media_responses
from executions.files import actions as file_actions
from executions.files import signed_urls
from executions.models import File
from executions.models.event import FileKind
from executions.policy import Actor

# Seconds that a browser may reuse a redirect; the address behind it is good for much longer then.
REUSE = 30
UNREADABLE = (
    "VideoGen no longer has this file, and our copy of it cannot be read now. "
    "Try again later, or ask an admin to look after the storage for copies."
)


@require_safe
async def preview(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    return await _shown(request, pk, "preview", "download")


@require_safe
async def thumbnail(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    return await _shown(request, pk, "thumbnail", "preview", "download")


@require_safe
async def download(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The bytes themselves, as a download: our copy, else through us from VideoGen.

    Who took it is written down, but not who only asked whether it is there, or looks at it within a page.
    """
    file = await aget_object_or_404(File, pk=pk)
    try:
        response = await media_responses.kept(request, file, as_download=True)
    except media_responses.Missing:
        try:
            response = await media_responses.passed_on(request, file)
        except (signed_urls.Gone, signed_urls.NotReady) as error:
            return _said(request, error, file)
    if response.status_code < 400 and _is_taken(request):
        await sync_to_async(_note_download)(pk, (await request.auser()).pk)
    return response


def _is_taken(request: HttpRequest) -> bool:
    """A picture of a page and the later parts of a download are no download of their own."""
    is_first = request.headers.get("Range", "bytes=0-").startswith("bytes=0-")
    is_of_a_page = request.headers.get("Sec-Fetch-Dest", "") in ("image", "video", "audio")
    return request.method == "GET" and is_first and not is_of_a_page


def _note_download(pk: uuid.UUID, actor: Actor) -> None:
    file_actions.note(File.objects.get(pk=pk), FileKind.DOWNLOADED, actor)


async def _shown(request: HttpRequest, pk: uuid.UUID, *renditions: str) -> HttpResponseBase:
    file = await aget_object_or_404(File, pk=pk)
    if file.gone_at is not None and (copy := await _copy(request, file, renditions[0])):
        return copy
    try:
        url, seconds = await signed_urls.signed_url(file, renditions)
    except (signed_urls.Gone, signed_urls.NotReady) as error:
        copy = await _copy(request, file, renditions[0])
        # That a copy has no picture is no fault of it.
        return copy or _said(request, error, file if renditions[0] != "thumbnail" else None)
    reuse = REUSE if seconds > 2 * REUSE else 0
    return HttpResponseRedirect(url, headers={"Cache-Control": f"private, max-age={reuse}"})


async def _copy(request: HttpRequest, file: File, rendition: str) -> HttpResponseBase | None:
    """What our copy has of it, if there is one."""
    try:
        if rendition == "thumbnail":
            return await media_responses.kept_picture(request, file)
        return await media_responses.kept(request, file, as_download=False)
    except media_responses.Missing:
        return None


def _said(
    request: HttpRequest, error: signed_urls.Gone | signed_urls.NotReady, kept: File | None = None
) -> HttpResponse:
    if isinstance(error, signed_urls.Gone) and kept is not None and kept.kept_at is not None:
        return render(request, "503.html", {"reason": UNREADABLE}, status=503)
    if isinstance(error, signed_urls.Gone):
        return render(request, "404.html", {"reason": str(error)}, status=404)
    return render(request, "503.html", {"reason": str(error)}, status=503)
