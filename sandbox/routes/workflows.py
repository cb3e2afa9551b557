"""/v1/workflows: start runs of whole videos, read, list and cancel them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox import ids
from sandbox.errors import invalid_parameters, not_found, watermark_refused
from sandbox.fields import Choice, Field, Flag, Number, Object, Objects, Ratio, Text, Texts, read_fields
from sandbox.paging import read_flag, record_page
from sandbox.presenters import find_presenter
from sandbox.records import File, Workflow
from sandbox.tools import QUALITY, TIERS, WATERMARK, WIDE
from sandbox.voices import voice_named
from sandbox.world import World, key_of, read_object, world_of

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
_VOICE = (Text(name="voiceId", nullable=True), Number(name="voiceSpeed", low=0.5, high=2))
_PRESENTER = (
    Text(name="avatarPresenterId", nullable=True, until="1.1"),
    Text(name="actorEntityId", nullable=True, since="2"),
    Choice(name="avatarQuality", values=TIERS, since="2"),
)
_CAPTIONS = (Object(name="captionStyle", nullable=True), Text(name="logoFileId", nullable=True))
_PICTURES = (
    Choice(name="visualPacing", values=("FAST", "MEDIUM", "SLOW"), default="MEDIUM"),
    QUALITY,
    Text(name="workflowAgentContext"),
    Objects(name="scenes", since="2"),
)
_COMMON = (
    Ratio(name="aspectRatio", default=WIDE),
    Text(name="language"),
    Objects(name="remixActions", needs="type"),
    Flag(name="isOutputTemporary", default=False, since="2"),
    Flag(name="hideFromUi", default=False, since="2"),
    Flag(name="autoExport", default=False, since="2"),
    Object(name="exportOptions", since="2", members=(WATERMARK,)),
)
_SOURCE = Text(name="fileId", required=True, shortest=1)


@dataclass(frozen=True)
class Kind:
    """``old``: the path in era 1.0. ``files``: the types that ``fileId`` may name."""

    slug: str
    old: str
    type: str
    fields: tuple[Field, ...]
    files: tuple[str, ...] = ()


_KINDS = (
    Kind(
        "script-to-video",
        "add-visuals-narrations-and-captions-to-script",
        "SCRIPT_TO_VIDEO",
        (
            Text(name="script", required=True, shortest=1),
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
    world = world_of(request)
    if not world.settings.knows("1.1"):
        raise not_found("Path")
    owner = key_of(request) if read_flag(request.query_params, "selfOnly") else None
    found, cursor = record_page(world.settings, world.store, Workflow, request.query_params, owner)
    items = [_shape(world, world.workflows.refresh(each)) for each in found]
    return JSONResponse(world.shapes.page("workflowRuns", items, cursor))


@router.get("/runs/{run_id}")
async def get_run(request: Request, run_id: str) -> JSONResponse:
    world = world_of(request)
    return JSONResponse(_shape(world, _find(world, run_id)))


@router.post("/runs/{run_id}/cancel")
async def cancel_run(request: Request, run_id: str) -> JSONResponse:
    world = world_of(request)
    workflow = _find(world, run_id)
    world.workflows.cancel(run_id)
    return JSONResponse(world.shapes.workflow_accepted(workflow), 202)


@router.post("/{slug}")
async def start_run(request: Request, slug: str) -> JSONResponse:
    world = world_of(request)
    kind = next((each for each in _KINDS if slug in _slugs(world, each)), None)
    if kind is None:
        raise not_found("Workflow")
    values = read_fields(kind.fields, await read_object(request), world.settings)
    _check(world, kind, values)
    workflow = world.workflows.submit(kind.type, values, key_of(request))
    return JSONResponse(world.shapes.workflow_accepted(workflow), 202)


def _slugs(world: World, kind: Kind) -> tuple[str, ...]:
    new = (kind.slug,) if world.settings.knows("1.1") else ()
    old = (kind.old,) if world.settings.knows("1.0") and world.settings.still_knows("1.1") else ()
    return new + old


def _check(world: World, kind: Kind, values: dict[str, Any]) -> None:
    """What must hold beyond the shapes: the permission, and that what is named exists."""
    if (values.get("exportOptions") or {}).get("watermarkMode") == "NONE":
        raise watermark_refused()
    if values.get("voiceId") is not None:
        voice_named(values["voiceId"])
    if values.get("avatarPresenterId") is not None or values.get("actorEntityId") is not None:
        find_presenter(values.get("avatarPresenterId"), values.get("actorEntityId"))
    named = [*(values.get("featuredBRollFileIds") or []), values.get("logoFileId")]
    for file_id in named:
        if file_id is not None:
            _file(world, file_id)
    if kind.files and _file(world, values["fileId"]).type not in kind.files:
        raise invalid_parameters(f"fileId must name a file of type {' or '.join(kind.files)}")


def _file(world: World, file_id: str) -> File:
    file = world.store.get(File, ids.check_id(file_id, ids.FILE, "file"))
    if file is None:
        raise not_found("File")
    return file


def _find(world: World, run_id: str) -> Workflow:
    if not world.settings.knows("1.0"):
        raise not_found("Path")
    workflow = world.workflows.find(ids.check_id(run_id, ids.WORKFLOW, "workflow run"))
    if workflow is None:
        raise not_found("Workflow run")
    return workflow


def _shape(world: World, workflow: Workflow) -> dict[str, Any]:
    film = world.store.get(File, workflow.export_file) if workflow.export_file else None
    return world.shapes.workflow(workflow, film)
