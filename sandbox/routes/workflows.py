"""/v1/workflows: start, get, list and cancel workflow runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox import ids
from sandbox.errors import invalid_parameters, not_found, watermark_removal_refused
from sandbox.fields import Choice, Field, Flag, Number, Object, Objects, Ratio, Text, Texts, read_fields
from sandbox.paging import read_flag, record_page
from sandbox.presenters import find_presenter
from sandbox.records import File, Workflow
from sandbox.services import Services, find_file, key_of, read_object, services_of
from sandbox.tools import QUALITIES, QUALITY, WATERMARK, WIDESCREEN
from sandbox.voices import find_voice

router = APIRouter(prefix="/v1/workflows")

_STYLE = Object(
    name="visualStyle",
    required=True,
    members=(
        Choice(name="type", values=("STOCK", "AI_IMAGE", "ENTITY"), required=True),
        Text(name="aiStyle"),
        Text(name="entityId"),
        Flag(name="restyleFeaturedBRollWithAiStyle"),
    ),
)
_VOICE = (Text(name="voiceId", nullable=True), Number(name="voiceSpeed", minimum=0.5, maximum=2))
_PRESENTER = (
    Text(name="avatarPresenterId", nullable=True, until="1.1"),
    Text(name="actorEntityId", nullable=True, since="2"),
    Choice(name="avatarQuality", values=QUALITIES, since="2"),
)
_CAPTIONS = (Object(name="captionStyle", nullable=True), Text(name="logoFileId", nullable=True))
_PICTURES = (
    Choice(name="visualPacing", values=("FAST", "MEDIUM", "SLOW"), default="MEDIUM"),
    QUALITY,
    Text(name="workflowAgentContext"),
    Objects(name="scenes", since="2"),
)
_COMMON = (
    Ratio(name="aspectRatio", default=WIDESCREEN),
    Text(name="language"),
    Objects(name="remixActions", required_key="type"),
    Flag(name="isOutputTemporary", default=False, since="2"),
    Flag(name="hideFromUi", default=False, since="2"),
    Flag(name="autoExport", default=False, since="2"),
    Object(name="exportOptions", since="2", members=(WATERMARK,)),
)
_SOURCE = Text(name="fileId", required=True, min_length=1)


@dataclass(frozen=True)
class Kind:
    """``old_slug``: the path in API version 1.0. ``file_types``: the types of file that ``fileId`` accepts."""

    slug: str
    old_slug: str
    type: str
    fields: tuple[Field, ...]
    file_types: tuple[str, ...] = ()


_KINDS = (
    Kind(
        "script-to-video",
        "add-visuals-narrations-and-captions-to-script",
        "SCRIPT_TO_VIDEO",
        (
            Text(name="script", required=True, min_length=1),
            _STYLE,
            *_VOICE,
            *_PRESENTER,
            *_PICTURES,
            Texts(name="featuredBRollFileIds"),
            *_COMMON,
        ),
    ),
    Kind(
        "voiceover-to-video",
        "add-visuals-and-captions-to-voiceover",
        "VOICEOVER_TO_VIDEO",
        (_SOURCE, _STYLE, *_PRESENTER[1:], *_PICTURES, *_CAPTIONS, *_COMMON),
        ("AUDIO",),
    ),
    Kind(
        "slideshow-to-video",
        "add-narration-transitions-and-captions-to-slideshow",
        "SLIDESHOW_TO_VIDEO",
        (
            _SOURCE,
            Texts(name="slideScripts"),
            *_VOICE,
            *_PRESENTER,
            Text(name="slideshowThemeEntityId", since="2"),
            *_CAPTIONS,
            *_COMMON,
        ),
        ("PDF", "SLIDESHOW"),
    ),
)


@router.get("/runs")
async def list_runs(request: Request) -> JSONResponse:
    services = services_of(request)
    if not services.settings.at_least("1.1"):
        raise not_found("Path")
    owner = key_of(request) if read_flag(request.query_params, "selfOnly") else None
    found, cursor = record_page(services.settings, services.store, Workflow, request.query_params, owner)
    items = [_to_json(services, services.workflows.refresh(each)) for each in found]
    return JSONResponse(services.serializer.page("workflowRuns", items, cursor))


@router.get("/runs/{run_id}")
async def get_run(request: Request, run_id: str) -> JSONResponse:
    services = services_of(request)
    return JSONResponse(_to_json(services, _find(services, run_id)))


@router.post("/runs/{run_id}/cancel")
async def cancel_run(request: Request, run_id: str) -> JSONResponse:
    services = services_of(request)
    workflow = _find(services, run_id)
    services.workflows.cancel(run_id)
    return JSONResponse(services.serializer.workflow_accepted(workflow), 202)


@router.post("/{slug}")
async def start_run(request: Request, slug: str) -> JSONResponse:
    services = services_of(request)
    kind = next((each for each in _KINDS if slug in _slugs(services, each)), None)
    if kind is None:
        raise not_found("Workflow")
    values = read_fields(kind.fields, await read_object(request), services.settings)
    _check(services, kind, values)
    workflow = services.workflows.submit(kind.type, values, key_of(request))
    return JSONResponse(services.serializer.workflow_accepted(workflow), 202)


def _slugs(services: Services, kind: Kind) -> tuple[str, ...]:
    new = (kind.slug,) if services.settings.at_least("1.1") else ()
    old = (kind.old_slug,) if services.settings.at_least("1.0") and services.settings.at_most("1.1") else ()
    return new + old


def _check(services: Services, kind: Kind, values: dict[str, Any]) -> None:
    """Further validation: permission, and existence of voice, presenter and files."""
    if (values.get("exportOptions") or {}).get("watermarkMode") == "NONE":
        raise watermark_removal_refused()
    if values.get("voiceId") is not None:
        find_voice(values["voiceId"])
    if values.get("avatarPresenterId") is not None or values.get("actorEntityId") is not None:
        find_presenter(values.get("avatarPresenterId"), values.get("actorEntityId"))
    file_ids = [*(values.get("featuredBRollFileIds") or []), values.get("logoFileId")]
    for file_id in file_ids:
        if file_id is not None:
            find_file(services, file_id)
    if kind.file_types and find_file(services, values["fileId"]).type not in kind.file_types:
        raise invalid_parameters(f"fileId must be a file of type {' or '.join(kind.file_types)}")


def _find(services: Services, run_id: str) -> Workflow:
    if not services.settings.at_least("1.0"):
        raise not_found("Path")
    workflow = services.workflows.find(ids.check_id(run_id, ids.WORKFLOW, "workflow run"))
    if workflow is None:
        raise not_found("Workflow run")
    return workflow


def _to_json(services: Services, workflow: Workflow) -> dict[str, Any]:
    video = services.store.get(File, workflow.export_file) if workflow.export_file else None
    return services.serializer.workflow(workflow, video)
