"""/v1/resources: voices and presenters, and the presenters' images and clips."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, JSONResponse, Response

from sandbox import presenter_media
from sandbox.errors import not_found
from sandbox.paging import list_page, read_flag
from sandbox.presenters import PRESENTERS, Presenter, presenter_by_suffix, sorted_for_voice
from sandbox.routes.media import PUBLIC_HEADERS
from sandbox.services import Services, services_of
from sandbox.voices import VOICES, Voice, voice_filter

router = APIRouter()


@router.get("/v1/resources/tts-voices")
async def list_voices(request: Request) -> JSONResponse:
    services = services_of(request)
    query = request.query_params
    with_deprecated = read_flag(query, "includeDeprecatedVoices")
    filter_text = query.get("query", "").casefold()
    found = [
        voice
        for voice in VOICES
        if (with_deprecated or not voice.deprecated) and filter_text in _search_text(voice)
    ]
    page, cursor = list_page(services.settings, "ttsVoices", found, query)
    return JSONResponse(services.serializer.page("ttsVoices", [voice.as_json() for voice in page], cursor))


@router.get("/v1/resources/avatar-presenters")
async def list_presenters(request: Request) -> JSONResponse:
    """Not in API version 2. ``voiceId`` sorts by how well each presenter suits that voice."""
    services = services_of(request)
    if not services.settings.at_most("1.1"):
        raise not_found("Resource")
    query = request.query_params
    voice_id = query.get("voiceId")
    sorted_by = "" if voice_id is None else f":{voice_filter(voice_id).id}"
    found = PRESENTERS if voice_id is None else sorted_for_voice(voice_filter(voice_id))
    page, cursor = list_page(services.settings, f"avatarPresenters{sorted_by}", found, query)
    return JSONResponse(
        services.serializer.page("avatarPresenters", [_presenter(services, each) for each in page], cursor)
    )


@router.api_route("/public/presenters/{suffix}/{name}", methods=["GET", "HEAD"])
async def get_presenter_media(request: Request, suffix: str, name: str) -> Response:
    """Public, without expiry."""
    if presenter_by_suffix(suffix) is None or name not in presenter_media.NAMES:
        raise not_found("File")
    return FileResponse(await services_of(request).presenter_media.find(suffix, name), headers=PUBLIC_HEADERS)


def _presenter(services: Services, presenter: Presenter) -> dict[str, Any]:
    def url(name: str) -> str:
        return services.signer.public_url("public", "presenters", presenter.suffix, name)

    return {
        "avatarPresenterId": presenter.id,
        "displayableGender": presenter.gender,
        "imageUrl": url("still.jpg"),
        "thumbnailUrl": url("thumb.jpg"),
        "previewVideoUrl": url("preview.mp4"),
    }


def _search_text(voice: Voice) -> str:
    """The text that the filter ``query`` searches (API version 2)."""
    parts = (voice.id, voice.name, voice.language, voice.accent, voice.description)
    return "\n".join(part for part in parts if part).casefold()
