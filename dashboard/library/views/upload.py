"""Uploads: raw bytes from a script, or a form. Large bodies are read from disk, never held in memory."""

from __future__ import annotations

import logging
import shutil
import tempfile
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from dashboard import workers
from dashboard.cards.file import tiles_for
from dashboard.http.params import as_number, as_uuid
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from executions.files import uploads
from executions.files.media_types import HEAD_BYTES
from executions.files.uploads import UploadRejected
from executions.models import File
from executions.policy import Actor

logger = logging.getLogger(__name__)

MAX_RECENT = 12
MAX_STATES = 100  # in one response


@require_http_methods(["GET", "POST"])
async def upload(request: AuthenticatedRequest) -> HttpResponse:
    if request.method == "GET":
        return await sync_to_async(_page)(request)
    user = await request.auser()
    if request.content_type == "multipart/form-data":
        return await _upload_form(request, user)
    try:
        if "check" in request.GET:
            return await _check(request)
        with await sync_to_async(_body)(request) as body:
            size = await sync_to_async(_size)(body)
            file = await uploads.upload(body, size, request.GET.get("name", ""), user)
    except UploadRejected as refused:
        return JsonResponse({"error": str(refused)}, status=refused.status)
    workers.wake_file_workers()
    return JsonResponse(to_json(file), status=201)


async def _check(request: HttpRequest) -> HttpResponse:
    """`?check=<size>` with only the first bytes in the body: whether the file would be accepted."""
    size = as_number(request.GET["check"])
    if size is None:
        raise UploadRejected("The size of the file must be a number of bytes.")
    with await sync_to_async(_body)(request) as body:
        kind = uploads.check(body.read(HEAD_BYTES), size)
    return JsonResponse({"type": kind.type})


async def _upload_form(request: AuthenticatedRequest, actor: Actor) -> HttpResponse:
    """Without JavaScript: any number of files in one form. Rejected files are listed with the reason."""
    try:
        given = await sync_to_async(lambda: request.FILES.getlist("file"))()
    except (MultiPartParserError, TooManyFilesSent, RequestDataTooBig):
        given = []
    problems = [] if given else ["Choose at least one file."]
    uploaded = 0
    for each in given:
        assert each.file is not None, "Django's parser has read it"
        assert each.size is not None, "Django's parser has read it"
        try:
            await uploads.upload(each.file, each.size, each.name or "", actor)
            uploaded += 1
        except UploadRejected as refused:
            problems.append(f"{uploads.clean_name(each.name or '')}: {refused}")
    if uploaded:
        workers.wake_file_workers()
    if problems:
        return await sync_to_async(_page)(request, problems=problems, uploaded=uploaded, status=422)
    messages.success(
        request, "One file was uploaded." if uploaded == 1 else f"{uploaded} files were uploaded."
    )
    return see_other("file-upload")


@require_GET
def states(request: AuthenticatedRequest) -> HttpResponse:
    """`?id=…&id=…`: the states of the user's own uploads."""
    ids = [pk for text in request.GET.getlist("id")[:MAX_STATES] if (pk := as_uuid(text))]
    files = request.user.files.in_bulk(ids)
    return JsonResponse({"files": [to_json(file) for file in files.values()]})


def to_json(file: File) -> dict[str, Any]:
    """A file for static/js/lib/upload.js."""
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
    recent = request.user.files.uploads().newest_first()
    tiles = tiles_for(request.user, recent.select_related("created_by")[:MAX_RECENT])
    return render(request, "library/upload.html", {"tiles": tiles, **extra}, status=status)


def _body(request: HttpRequest) -> IO[bytes]:
    """The body as a seekable file. Our server already provides one."""
    stream = request._stream
    if hasattr(stream, "seekable") and stream.seekable():
        return stream
    copy = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, copy, HEAD_BYTES)
    copy.seek(0)
    return copy


def _size(body: IO[bytes]) -> int:
    size = body.seek(0, 2)
    body.seek(0)
    return size
