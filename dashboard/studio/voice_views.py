"""Listening to a voice before it is chosen."""

from __future__ import annotations

from django.http import JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from dashboard.http.requests import AuthenticatedRequest
from executions import statuses
from executions.account import voices
from executions.core import sync_bridge
from executions.lifecycle import voice_samples
from executions.sync import submit


@require_POST
def sample(request: AuthenticatedRequest, voice_id: str) -> JsonResponse:
    """{url} to play; or, with 202, {job}: the sample is being made, and this is asked again when that has ended."""
    known, note = voices.usable()
    voice = next((each for each in known if each.voice_id == voice_id), None)
    if voice is None:
        return JsonResponse({"error": note or "There is no such voice any more."}, status=404)
    made = voice_samples.find(voice)
    result = next(iter(made.results.all()), None) if made else None
    if result is not None:
        return JsonResponse({"url": reverse("file-preview", args=[result.file_id])})
    job = voice_samples.start(voice, request.user)
    if job.status == statuses.QUEUED:
        sync_bridge.spawn(submit.send, job.pk)
    return JsonResponse({"job": str(job.pk)}, status=202)
