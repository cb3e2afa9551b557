"""Samples of voices, to play before choosing one."""

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
    """{url} of the sample; or 202 with {job} while the sample is generated: the page asks again when that job finishes."""
    usable, note = voices.usable()
    voice = next((each for each in usable if each.voice_id == voice_id), None)
    if voice is None:
        return JsonResponse({"error": note or "This voice no longer exists."}, status=404)
    sample_job = voice_samples.find(voice)
    result = next(iter(sample_job.results.all()), None) if sample_job else None
    if result is not None:
        return JsonResponse({"url": reverse("file-preview", args=[result.file_id])})
    job = voice_samples.start(voice, request.user)
    if job.status == statuses.QUEUED:
        sync_bridge.spawn(submit.send, job.pk)
    return JsonResponse({"job": str(job.pk)}, status=202)
