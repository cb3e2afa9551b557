"""Serializes records to JSON: the superset of all API versions, or the fields of one version."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from typing import Any

from sandbox.records import Endpoint, Execution, File, Rendition, Workflow
from sandbox.settings import Settings
from sandbox.signing import Signer

Json = dict[str, Any]

_ANALYSIS_PROGRESS = {"UNATTEMPTED": 0, "LOADING": 35, "FULFILLED": 100, "REJECTED": 100}


PLAYBACK_SECONDS = 1.0
"""Seconds until the streaming provider is ready for a public file, at speed 1."""


class Serializer:
    """Serializes records to response bodies and webhook event bodies."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self._settings = settings
        self._signer = signer

    def execution(self, execution: Execution, files: list[File | None]) -> Json:
        """``files``: the files of its results in order, None for a missing file."""
        body: Json = {
            "toolExecutionId": execution.id,
            "status": execution.status,
            "toolType": execution.tool_type,
        }
        if self._settings.at_least("1.0"):
            body["progressPercentage"] = round(execution.progress, 1)
            body["attemptIndex"] = execution.attempt
        results = self.results(execution, files)
        if results or self._settings.at_least("2"):
            body["results"] = results
        if execution.error is not None or self._settings.at_least("2"):
            body["error"] = execution.error
        return body

    def results(self, execution: Execution, files: list[File | None]) -> list[Json]:
        entries = []
        for result, file in zip(execution.results, files, strict=True):
            entry: Json = {"fileId": result["fileId"], "type": result["type"]}
            signed = None if file is None else self.file(file, execution.signed_until, with_analysis=False)
            entry["file"] = signed
            if self._settings.at_least("2"):
                entry |= self._flat(file, execution.signed_until)
            entries.append(entry)
        return entries

    def file(self, file: File, signed_until: float | None, *, with_analysis: bool = True) -> Json:
        """``signed_until`` None: not signed, so sources are pending and have no URL (docs/api-notes.md#signed-urls)."""
        body: Json = {
            "fileId": file.id,
            "type": file.type,
            "scope": file.scope,
            "displayName": file.display_name,
            "description": file.description,
            "durationSeconds": file.duration,
            "transcript": file.transcript,
            "thumbnailSource": self._source(file, "thumbnail", signed_until),
            "previewSource": self._source(file, "preview", signed_until),
            "downloadSource": self._source(file, "download", signed_until),
            "hlsSource": self._source(file, "hls", signed_until),
            **self._public(file),
        }
        if self._settings.at_least("2"):
            body["transcriptText"] = file.transcript
            body |= self._flat(file, signed_until)
            if self._settings.api_version in ("2", "2.5"):
                body["transcript"] = timed_words(file)
        if file.source_tool is not None:
            body["sourceToolType"] = file.source_tool
            body["sourceToolExecutionId"] = file.source_execution
        if with_analysis and self._settings.at_least("1.0"):
            body["fileAnalysisMetadata"] = _analysis(file)
        return body

    def endpoint(self, endpoint: Endpoint, *, with_secret: bool = False) -> Json:
        body: Json = {
            "endpointId": endpoint.id,
            "url": endpoint.url,
            "events": endpoint.events,
            "description": endpoint.description,
            "createdAt": round(endpoint.created_at),
            "signingSecretLast4": endpoint.secret[-4:],
        }
        if with_secret:
            body["signingSecret"] = endpoint.secret
        return body

    def page(self, name: str, items: list[Json], next_cursor: str | None) -> Json:
        if not self._settings.at_least("1.0"):
            return {name: items}
        return {name: items, "hasMore": next_cursor is not None, "nextCursor": next_cursor}

    def tool_event(self, execution: Execution, files: list[File | None]) -> Json:
        """The body of ``tool_execution.*`` (docs/api-notes.md#webhook-events)."""
        body: Json = {
            "event": f"tool_execution.{execution.status}",
            "toolExecutionId": execution.id,
            "toolType": execution.tool_type,
            "occurredAt": _seconds(execution.ended_at),
        }
        if execution.status == "succeeded":
            body["results"] = self.results(execution, files)
        if execution.status == "failed":
            body["error"] = execution.error
        return body

    def workflow_accepted(self, workflow: Workflow) -> Json:
        return {
            "workflowRunId": workflow.id,
            "projectId": workflow.project,
            "projectUrl": self._project_url(workflow),
            "remixActionIds": workflow.remix_actions,
        }

    def workflow(self, workflow: Workflow, video: File | None) -> Json:
        """``video``: the rendered project, if there is one."""
        body: Json = {
            "workflowRunId": workflow.id,
            "status": workflow.status,
            "workflowType": workflow.kind,
            "progressPercentage": round(workflow.progress, 1),
            "attemptIndex": workflow.attempt,
            "projectId": workflow.project,
            "projectUrl": self._project_url(workflow),
            "error": workflow.error,
        }
        return body | self._export(workflow, video)

    def workflow_event(self, workflow: Workflow, video: File | None) -> Json:
        """The body of ``workflow_run.*``; its time is a string in API versions 1.0 and 1.1 (docs/api-notes.md#ids-and-times)."""
        moment: float | str = _seconds(workflow.ended_at)
        if self._settings.api_version in ("1.0", "1.1"):
            moment = datetime.fromtimestamp(_seconds(workflow.ended_at), UTC).isoformat()
        body: Json = {
            "event": f"workflow_run.{workflow.status}",
            "workflowRunId": workflow.id,
            "occurredAt": moment,
            "workflowType": workflow.kind,
            "projectId": workflow.project,
            "projectUrl": self._project_url(workflow),
        }
        if workflow.status == "failed":
            body["error"] = workflow.error
        return body | self._export(workflow, video)

    def _project_url(self, workflow: Workflow) -> str:
        return self._signer.public_url("project", workflow.project)

    def _export(self, workflow: Workflow, video: File | None) -> Json:
        if not self._settings.at_least("2"):
            return {}
        flat = self._flat(video, None if video is None else video.hydrated_until)
        return {"exportId": workflow.export, "exportFileId": workflow.export_file, **flat}

    def file_event(self, name: str, file: File, signed_until: float, error: Json | None = None) -> Json:
        body: Json = {
            "event": name,
            "fileId": file.id,
            "occurredAt": _seconds(None),
            "file": self.file(file, signed_until, with_analysis=False),
        }
        if error is not None:
            body["error"] = error
        return body

    def _source(self, file: File, name: str, signed_until: float | None) -> Json | None:
        rendition = file.rendition(name)
        if rendition is None:
            return None
        source: Json = {"status": rendition.status, "url": None, "expiresAt": None}
        if rendition.status == "ready":
            if signed_until is None:
                return {**source, "status": "pending"}
            source["url"] = self._url(file, name, rendition, signed_until)
            source["expiresAt"] = int(signed_until)
        for key, value in (
            ("width", rendition.width),
            ("height", rendition.height),
            ("fileBytes", rendition.bytes),
        ):
            if value is not None:
                source[key] = value
        return source

    def _url(self, file: File, name: str, rendition: Rendition, signed_until: float) -> str:
        assert rendition.name is not None, f"{file.id}: a ready rendition has a name"
        make = self._signer.stream_url if name == "hls" else self._signer.media_url
        return make(file.id, rendition.name, signed_until)

    def _flat(self, file: File | None, signed_until: float | None) -> Json:
        """The flat URL fields of API version 2."""
        body: Json = {}
        for name in ("download", "thumbnail"):
            source = None if file is None else self._source(file, name, signed_until)
            body[f"{name}Url"] = source["url"] if source else None
            body[f"{name}UrlExpiresAt"] = source["expiresAt"] if source else None
        return body

    def _public(self, file: File) -> Json:
        """Public preview (docs/api-notes.md#public-previews); the fields are null while it is off."""
        is_on = file.public_since is not None
        body: Json = {"isPublicPreviewEnabled": is_on, "publicHlsUrl": None, "publicPlaybackId": None}
        if self._settings.at_least("1.0"):
            body["staticPublicPreviewSource"] = None
        if not is_on:
            return body
        hls, download = file.rendition("hls"), file.rendition("download")
        if hls is not None and hls.status == "ready" and hls.name is not None:
            body["publicHlsUrl"] = self._signer.public_url("public", "stream", file.id, hls.name)
            if not self._settings.at_least("1.0") or time.time() >= _playable_at(file, self._settings):
                suffix = base64.urlsafe_b64encode(file.id.encode()).decode().rstrip("=")
                body["publicPlaybackId"] = f"vg_play_{suffix}"
        if self._settings.at_least("1.0") and download is not None and download.status == "ready":
            assert download.name is not None, f"{file.id}: a ready rendition has a name"
            body["staticPublicPreviewSource"] = {
                **(self._source(file, "download", 0.0) or {}),
                "url": self._signer.public_url("public", "media", file.id, download.name),
                "expiresAt": None,
            }
        return body


def _playable_at(file: File, settings: Settings) -> float:
    """When the playback id of a public file is available: with a delay from API version 1.0."""
    return (file.public_since or 0.0) + PLAYBACK_SECONDS / settings.speed


def timed_words(file: File) -> Json | None:
    """The transcript of API version 2: the words spread evenly over the duration."""
    words = (file.transcript or "").split()
    if not words or not file.duration:
        return None
    step = file.duration / len(words)
    return {
        "languageCode": file.language,
        "words": [
            {
                "startSeconds": round(number * step, 3),
                "endSeconds": round((number + 1) * step, 3),
                "word": word,
            }
            for number, word in enumerate(words)
        ],
    }


def _analysis(file: File) -> Json:
    body: Json = {
        "analysisLoadingState": file.analysis,
        "analysisProgressPercentage": _ANALYSIS_PROGRESS[file.analysis],
    }
    if file.analysis in ("UNATTEMPTED", "LOADING"):
        body["analysisAttemptIndex"] = file.analysis_attempt
    return body


def _seconds(moment: float | None) -> float:
    return round(time.time() if moment is None else moment, 3)
