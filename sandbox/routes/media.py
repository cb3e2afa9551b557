"""The bytes: signed media URLs that expire, with ranges for audio and video."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from sandbox.errors import ApiError, not_found
from sandbox.records import File
from sandbox.world import World, world_of

router = APIRouter()

_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
}
OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, Accept-Ranges, ETag",
    "X-Content-Type-Options": "nosniff",
    # An SVG is a document: opened by itself it must not run anything.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox",
}


@router.get("/media/{file_id}/{name}")
@router.head("/media/{file_id}/{name}")
async def get_media(request: Request, file_id: str, name: str) -> Response:
    world = world_of(request)
    query = request.query_params
    if not world.signer.is_valid(request.url.path, query.get("expires", ""), query.get("sig", "")):
        raise expired()
    return serve(world, file_id, name)


@router.options("/media/{rest:path}")
async def allow_cross_origin(rest: str) -> Response:
    headers = {"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "Range"}
    return Response(status_code=204, headers=OPEN | headers)


def expired() -> ApiError:
    return ApiError(403, {"message": "This link has expired or was not made here.", "code": None}, OPEN)


def serve(world: World, file_id: str, name: str) -> Response:
    """A rendition's bytes; 404 when there is no such file."""
    path = world.media / file_id / name
    if "/" in name or name.startswith(".") or not path.is_file():
        raise not_found("File")
    return FileResponse(path, media_type=content_type(world, file_id, path), headers=OPEN)


def content_type(world: World, file_id: str, path: Path) -> str:
    """As recorded for the rendition, which for uploads is not what the name suggests."""
    file = world.store.get(File, file_id)
    for rendition in file.renditions.values() if file else ():
        if rendition is not None and rendition.name == path.name and rendition.content_type:
            return rendition.content_type
    return _TYPES.get(path.suffix, "application/octet-stream")
