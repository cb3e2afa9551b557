"""Uploads: raw bytes from a script, or a plain form. Either way the bytes lie in a file on disk, never in memory."""

from __future__ import annotations

import logging
import shutil
import tempfile
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from dashboard import workers
from dashboard.cards.file import tiles_for
from dashboard.http.params import as_number, as_uuid
from dashboard.http.requests import AuthenticatedRequest
from executions.files import uploads
from executions.files.media_types import HEAD
from executions.files.uploads import UploadRefused
from executions.models import File
from executions.models.file import Origin
from executions.policy import Actor

logger = logging.getLogger(__name__)

RECENT = 12
MOST_ASKED = 100  # states in one answer


@require_http_methods(["GET", "POST"])
async def upload(request: AuthenticatedRequest) -> HttpResponse:
    if request.method == "GET":
        return await sync_to_async(_page)(request)
    user = await request.auser()
    if request.content_type == "multipart/form-data":
        return await _from_form(request, user)
    try:
        if "check" in request.GET:
            return await _checked(request)
        with await sync_to_async(_body)(request) as body:
            size = await sync_to_async(_size)(body)
            file = await uploads.take_in(body, size, request.GET.get("name", ""), user)
    except UploadRefused as refused:
        return JsonResponse({"error": str(refused)}, status=refused.status)
    workers.look_at_files()
    return JsonResponse(told(file), status=201)


async def _checked(request: HttpRequest) -> HttpResponse:
    """`?check=<size>` with the first bytes alone: whether it makes sense to send the rest."""
    size = as_number(request.GET["check"])
    if size is None:
        raise UploadRefused("The size of the file must be a number of bytes.")
    with await sync_to_async(_body)(request) as body:
        kind = uploads.check(body.read(HEAD), size)
    return JsonResponse({"type": kind.type})


async def _from_form(request: AuthenticatedRequest, actor: Actor) -> HttpResponse:
    """Without a script: any number of files in one form. Those that can be taken are; the others are named."""
    try:
        given = await sync_to_async(lambda: request.FILES.getlist("file"))()
    except (MultiPartParserError, TooManyFilesSent, RequestDataTooBig):
        given = []
    problems = [] if given else ["Choose at least one file."]
    taken = 0
    for each in given:
        assert each.file is not None, "Django's parser has read it"
        assert each.size is not None, "Django's parser has read it"
        try:
            await uploads.take_in(each.file, each.size, each.name or "", actor)
            taken += 1
        except UploadRefused as refused:
            problems.append(f"{uploads.clean_name(each.name or '')}: {refused}")
    if taken:
        workers.look_at_files()
    if problems:
        return await sync_to_async(_page)(request, problems=problems, taken=taken, status=422)
    messages.success(request, "One file was uploaded." if taken == 1 else f"{taken} files were uploaded.")
    return HttpResponseRedirect(reverse("file-upload"), status=303)


@require_GET
def states(request: AuthenticatedRequest) -> HttpResponse:
    """`?id=…&id=…`: how far one's own uploads are."""
    ids = [pk for text in request.GET.getlist("id")[:MOST_ASKED] if (pk := as_uuid(text))]
    files = File.objects.filter(pk__in=ids, created_by=request.user)
    return JsonResponse({"files": [told(file) for file in files]})


def told(file: File) -> dict[str, Any]:
    """A file for a script."""
    return {
        "id": str(file.pk),
        "remote_id": file.remote_id,
        "name": file.display_name,
        "type": file.type,
        "state": file.state,
        "problem": file.problem,
        "url": reverse("file", args=[file.pk]),
        "thumbnail_url": reverse("file-thumbnail", args=[file.pk]),
    }


def _page(request: AuthenticatedRequest, status: int = 200, **extra: Any) -> HttpResponse:
    recent = File.objects.filter(created_by=request.user, origin=Origin.UPLOAD, archived_at=None)
    tiles = tiles_for(request.user, recent.select_related("created_by").newest_first()[:RECENT])
    return render(request, "library/upload.html", {"tiles": tiles, **extra}, status=status)


def _body(request: HttpRequest) -> IO[bytes]:
    """The body as a file that can be read again. Under our server it already is one."""
    stream = request._stream
    if hasattr(stream, "seekable") and stream.seekable():
        return stream
    copy = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, copy, HEAD)
    copy.seek(0)
    return copy


def _size(body: IO[bytes]) -> int:
    size = body.seek(0, 2)
    body.seek(0)
    return size
