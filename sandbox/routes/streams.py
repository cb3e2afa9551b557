"""HLS playlists and segments, private ones with a signature in the path, and files with a public preview."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.errors import not_found
from sandbox.records import File
from sandbox.routes.media import link_expired, serve
from sandbox.services import Services, services_of

router = APIRouter()
_STREAM_SUFFIXES = (".m3u8", ".ts")


@router.api_route("/stream/{file_id}/{token}/{name}", methods=["GET", "HEAD"])
async def get_stream(request: Request, file_id: str, token: str, name: str) -> Response:
    services = services_of(request)
    expires, _, signature = token.partition("-")
    if not services.signer.is_valid(f"/stream/{file_id}", expires, signature):
        raise link_expired()
    if not name.endswith(_STREAM_SUFFIXES):
        raise not_found("Stream")
    return serve(services, file_id, name)


@router.api_route("/public/stream/{file_id}/{name}", methods=["GET", "HEAD"])
async def get_public_stream(request: Request, file_id: str, name: str) -> Response:
    services = services_of(request)
    _public_file(services, file_id)
    if not name.endswith(_STREAM_SUFFIXES):
        raise not_found("Stream")
    return serve(services, file_id, name)


@router.api_route("/public/media/{file_id}/{name}", methods=["GET", "HEAD"])
async def get_public_media(request: Request, file_id: str, name: str) -> Response:
    services = services_of(request)
    download = _public_file(services, file_id).rendition("download")
    if download is None or download.name != name:
        raise not_found("File")
    return serve(services, file_id, name)


def _public_file(services: Services, file_id: str) -> File:
    """The file if its public preview is enabled; raise a 404 otherwise."""
    file = services.store.get(File, file_id)
    if file is None or file.public_since is None:
        raise not_found("File")
    return file
