"""Media downloads: signed URLs that expire, with range requests for audio and video."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from sandbox.errors import ApiError, not_found
from sandbox.records import File
from sandbox.services import Services, services_of

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
PUBLIC_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, Accept-Ranges, ETag",
    "X-Content-Type-Options": "nosniff",
    # An SVG can contain scripts: they must not run when it is opened as a document.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox",
}


@router.get("/media/{file_id}/{name}")
@router.head("/media/{file_id}/{name}")
async def get_media(request: Request, file_id: str, name: str) -> Response:
    services = services_of(request)
    query = request.query_params
    if not services.signer.is_valid(request.url.path, query.get("expires", ""), query.get("sig", "")):
        raise link_expired()
    return serve(services, file_id, name)


@router.options("/media/{rest:path}")
async def allow_cross_origin(rest: str) -> Response:
    headers = {"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "Range"}
    return Response(status_code=204, headers=PUBLIC_HEADERS | headers)


def link_expired() -> ApiError:
    return ApiError(403, {"message": "This link has expired or is invalid.", "code": None}, PUBLIC_HEADERS)


def serve(services: Services, file_id: str, name: str) -> Response:
    """The bytes of a rendition; raise a 404 for an unknown file."""
    path = services.settings.media_dir / file_id / name
    if "/" in name or name.startswith(".") or not path.is_file():
        raise not_found("File")
    return FileResponse(path, media_type=content_type(services, file_id, path), headers=PUBLIC_HEADERS)


def content_type(services: Services, file_id: str, path: Path) -> str:
    """The recorded type of the rendition. For uploads it may differ from the file name's suffix."""
    file = services.store.get(File, file_id)
    for rendition in file.renditions.values() if file else ():
        if rendition is not None and rendition.name == path.name and rendition.content_type:
            return rendition.content_type
    return _TYPES.get(path.suffix, "application/octet-stream")
