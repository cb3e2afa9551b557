"""/v1/files: upload, read, list, search, hydrate, archive, and the public preview."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox import ids
from sandbox.errors import ApiError, invalid_parameters, not_found
from sandbox.fields import Choice, Flag, Number, Text, TimedWords, check_url, read_fields
from sandbox.paging import read_flag, record_page, refuse_unknown
from sandbox.records import File, Import
from sandbox.uploads import known_types
from sandbox.world import World, key_of, read_object, world_of

router = APIRouter(prefix="/v1/files")


@router.get("")
async def list_files(request: Request) -> JSONResponse:
    """Most recently updated first, archived ones left out; the sandbox has no project files to add."""
    world = world_of(request)
    query = request.query_params
    if not world.settings.knows("2"):
        refuse_unknown(world.settings, query, "selfOnly", "includeExportFiles", "includeProjectFiles")
    exports = read_flag(query, "includeExportFiles")
    read_flag(query, "includeProjectFiles")
    owner = key_of(request) if read_flag(query, "selfOnly") else None
    found, cursor = record_page(world.settings, world.store, File, query, owner, exports=exports)
    items = [world.shapes.file(file, file.hydrated_until) for file in found]
    return JSONResponse(world.shapes.page("files", items, cursor))


@router.post("/upload")
async def create_upload(request: Request) -> JSONResponse:
    """200 with the URL for one PUT of the bytes."""
    world = world_of(request)
    fields = (
        Text(name="displayName", required=True, shortest=1),
        Choice(name="type", values=tuple(known_types(world.settings)), nullable=True),
        Flag(name="isTemporary", default=False, nullable=True),
        Flag(name="hideFromUi", default=False, nullable=True, since="2"),
        TimedWords(name="transcript", nullable=True, since="2"),
    )
    values = read_fields(fields, await read_object(request), world.settings)
    file, url = world.uploads.reserve(key_of(request), values)
    return JSONResponse({"fileId": file.id, "uploadUrl": url})


@router.post("/search")
async def search_files(request: Request) -> JSONResponse:
    """By meaning, best first; only what analysis has described can be found (docs/api-notes.md#file-search)."""
    world = world_of(request)
    fields = (
        Text(name="query", required=True, shortest=1),
        Number(name="numResults", low=1, high=100, whole=True, default=10, nullable=True),
        Flag(name="selfOnly", default=False, nullable=True),
    )
    values = read_fields(fields, await read_object(request), world.settings)
    owner = key_of(request) if values["selfOnly"] else None
    # Here, not above: NumPy is loaded only by those who search.
    from sandbox.finder import search

    hits = search(world.store, values["query"], values["numResults"], owner)
    results = [
        {"similarity": similarity, "file": world.shapes.file(file, file.hydrated_until)}
        for similarity, file in hits
    ]
    return JSONResponse({"results": results})


@router.post("/import-url")
async def create_import(request: Request) -> JSONResponse:
    """202 with the id to ask after."""
    world = world_of(request)
    if not world.settings.knows("2.5"):
        raise not_found("Path")
    fields = (
        Text(name="url", required=True, shortest=1),
        Text(name="displayName", nullable=True),
        Choice(name="type", values=tuple(known_types(world.settings)), nullable=True),
        Flag(name="isTemporary", default=False, nullable=True),
    )
    values = read_fields(fields, await read_object(request), world.settings)
    check_url(values["url"])
    values["isTemporary"] = bool(values["isTemporary"])
    item = world.imports.submit(key_of(request), values)
    return JSONResponse(world.imports.as_json(item), 202)


@router.get("/imports/{import_id}")
async def get_import(request: Request, import_id: str) -> JSONResponse:
    world = world_of(request)
    if not world.settings.knows("2.5"):
        raise not_found("Path")
    item = world.store.get(Import, ids.check_id(import_id, ids.IMPORT, "file import"))
    if item is None:
        raise not_found("File import")
    return JSONResponse(world.imports.as_json(item))


@router.get("/{file_id}")
async def get_file(request: Request, file_id: str) -> JSONResponse:
    """What was signed last, never renewed (docs/api-notes.md#signed-urls)."""
    world = world_of(request)
    file = find_file(world, file_id)
    return _answer(world, file)


@router.post("/{file_id}/hydrate")
async def hydrate_file(request: Request, file_id: str) -> JSONResponse:
    world = world_of(request)
    file = find_file(world, file_id)
    file.hydrated_until = world.signed_from_now()
    world.store.save(file)
    return _answer(world, file)


@router.post("/{file_id}/archive")
async def archive_file(request: Request, file_id: str) -> JSONResponse:
    """Hidden from listings and from search; everything else goes on, and doing it twice is harmless (docs/api-notes.md#files)."""
    world = world_of(request)
    file = find_file(world, file_id)
    if not file.archived:
        file.archived = True
        file.updated_at = time.time()
        world.store.save(file)
    return _answer(world, file)


@router.post("/{file_id}/enable-public-preview")
async def enable_public_preview(request: Request, file_id: str) -> JSONResponse:
    """Era 0.0 takes video and audio only (docs/api-notes.md#public-previews); what is still being processed conflicts."""
    world = world_of(request)
    file = find_file(world, file_id)
    if not file.is_ready:
        raise ApiError(409, {"message": "The file is not ready for a public preview.", "code": None})
    if not world.settings.knows("1.0") and file.type not in ("VIDEO", "AUDIO"):
        raise invalid_parameters("fileId must name a VIDEO or AUDIO file")
    if file.public_since is None:
        file.public_since = file.updated_at = time.time()
        world.store.save(file)
    return _answer(world, file)


@router.post("/{file_id}/disable-public-preview")
async def disable_public_preview(request: Request, file_id: str) -> JSONResponse:
    world = world_of(request)
    file = find_file(world, file_id)
    if file.public_since is not None:
        file.public_since = None
        file.updated_at = time.time()
        world.store.save(file)
    return _answer(world, file)


def find_file(world: World, file_id: str) -> File:
    """400 for an id of the wrong shape, 404 for one that names no file."""
    file = world.store.get(File, ids.check_id(file_id, ids.FILE, "file"))
    if file is None:
        raise not_found("File")
    return file


def _answer(world: World, file: File) -> JSONResponse:
    return JSONResponse(world.shapes.file(file, file.hydrated_until))
