"""HLS playlists and their segments, private ones by a permit in the path; and what is public while its preview is on."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.errors import not_found
from sandbox.records import File
from sandbox.routes.media import expired, serve
from sandbox.world import World, world_of

router = APIRouter()
_STREAMED = (".m3u8", ".ts")


@router.api_route("/stream/{file_id}/{permit}/{name}", methods=["GET", "HEAD"])
async def get_stream(request: Request, file_id: str, permit: str, name: str) -> Response:
    world = world_of(request)
    expires, _, signature = permit.partition("-")
    if not world.signer.is_valid(f"/stream/{file_id}", expires, signature):
        raise expired()
    if not name.endswith(_STREAMED):
        raise not_found("Stream")
    return serve(world, file_id, name)


@router.api_route("/public/stream/{file_id}/{name}", methods=["GET", "HEAD"])
async def get_public_stream(request: Request, file_id: str, name: str) -> Response:
    world = world_of(request)
    _public(world, file_id)
    if not name.endswith(_STREAMED):
        raise not_found("Stream")
    return serve(world, file_id, name)


@router.api_route("/public/media/{file_id}/{name}", methods=["GET", "HEAD"])
async def get_public_media(request: Request, file_id: str, name: str) -> Response:
    world = world_of(request)
    download = _public(world, file_id).rendition("download")
    if download is None or download.name != name:
        raise not_found("File")
    return serve(world, file_id, name)


def _public(world: World, file_id: str) -> File:
    """The file, while anybody may see it."""
    file = world.store.get(File, file_id)
    if file is None or file.public_since is None:
        raise not_found("File")
    return file
