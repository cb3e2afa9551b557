"""/v1/resources: the catalogues, and the pictures and clips that they name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, JSONResponse, Response

from sandbox import gallery
from sandbox.errors import not_found
from sandbox.paging import list_page, read_flag
from sandbox.presenters import PRESENTERS, Presenter, by_tail, suited_to
from sandbox.routes.media import OPEN
from sandbox.voices import VOICES, Voice, named
from sandbox.world import World, world_of

router = APIRouter()


@router.get("/v1/resources/tts-voices")
async def list_voices(request: Request) -> JSONResponse:
    world = world_of(request)
    query = request.query_params
    with_deprecated = read_flag(query, "includeDeprecatedVoices")
    wanted = query.get("query", "").casefold()
    found = [
        voice for voice in VOICES if (with_deprecated or not voice.deprecated) and wanted in _searched(voice)
    ]
    page, cursor = list_page(world.settings, "ttsVoices", found, query)
    return JSONResponse(world.shapes.page("ttsVoices", [voice.as_json() for voice in page], cursor))


@router.get("/v1/resources/avatar-presenters")
async def list_presenters(request: Request) -> JSONResponse:
    """Gone in era 2; ``voiceId`` sorts by how well each presenter suits that voice."""
    world = world_of(request)
    if not world.settings.still_knows("1.1"):
        raise not_found("Resource")
    query = request.query_params
    voice_id = query.get("voiceId")
    sorted_by = "" if voice_id is None else f":{named(voice_id).id}"
    found = PRESENTERS if voice_id is None else suited_to(named(voice_id))
    page, cursor = list_page(world.settings, f"avatarPresenters{sorted_by}", found, query)
    return JSONResponse(
        world.shapes.page("avatarPresenters", [_presenter(world, each) for each in page], cursor)
    )


@router.api_route("/public/presenters/{tail}/{name}", methods=["GET", "HEAD"])
async def get_presenter_media(request: Request, tail: str, name: str) -> Response:
    """Open to everybody and for ever, as the pictures of a catalogue are."""
    if by_tail(tail) is None or name not in gallery.NAMES:
        raise not_found("File")
    return FileResponse(await world_of(request).gallery.find(tail, name), headers=OPEN)


def _presenter(world: World, presenter: Presenter) -> dict[str, Any]:
    def url(name: str) -> str:
        return world.signer.public_url("public", "presenters", presenter.tail, name)

    return {
        "avatarPresenterId": presenter.id,
        "displayableGender": presenter.gender,
        "imageUrl": url("still.jpg"),
        "thumbnailUrl": url("thumb.jpg"),
        "previewVideoUrl": url("preview.mp4"),
    }


def _searched(voice: Voice) -> str:
    """What the filter ``query`` looks at (era 2)."""
    parts = (voice.id, voice.name, voice.language, voice.accent, voice.description)
    return "\n".join(part for part in parts if part).casefold()
