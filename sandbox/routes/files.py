"""/v1/files: upload, read, list, search, hydrate, archive, and the public preview."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox import ids
from sandbox.errors import ApiError, invalid_parameters, not_found
from sandbox.fields import Choice, Flag, Number, Text, TimedWords, check_url, read_fields
from sandbox.paging import read_flag, record_page, reject_unknown
from sandbox.records import File, Import
from sandbox.services import Services, find_file, key_of, read_object, services_of
from sandbox.uploads import supported_types

router = APIRouter(prefix="/v1/files")


@router.get("")
async def list_files(request: Request) -> JSONResponse:
    """Most recently updated first, without archived files. The sandbox has no project files."""
    services = services_of(request)
    query = request.query_params
    if not services.settings.at_least("2"):
        reject_unknown(services.settings, query, "selfOnly", "includeExportFiles", "includeProjectFiles")
    exports = read_flag(query, "includeExportFiles")
    read_flag(query, "includeProjectFiles")
    owner = key_of(request) if read_flag(query, "selfOnly") else None
    found, cursor = record_page(services.settings, services.store, File, query, owner, exports=exports)
    items = [services.serializer.file(file, file.hydrated_until) for file in found]
    return JSONResponse(services.serializer.page("files", items, cursor))


@router.post("/upload")
async def create_upload(request: Request) -> JSONResponse:
    """200 with the URL for the PUT of the bytes."""
    services = services_of(request)
    fields = (
        Text(name="displayName", required=True, min_length=1),
        Choice(name="type", values=tuple(supported_types(services.settings)), nullable=True),
        Flag(name="isTemporary", default=False, nullable=True),
        Flag(name="hideFromUi", default=False, nullable=True, since="2"),
        TimedWords(name="transcript", nullable=True, since="2"),
    )
    values = read_fields(fields, await read_object(request), services.settings)
    file, url = services.uploads.reserve(key_of(request), values)
    return JSONResponse({"fileId": file.id, "uploadUrl": url})


@router.post("/search")
async def search_files(request: Request) -> JSONResponse:
    """Semantic search, best match first. Finds only analysed files (docs/api-notes.md#file-search)."""
    services = services_of(request)
    fields = (
        Text(name="query", required=True, min_length=1),
        Number(name="numResults", minimum=1, maximum=100, integer=True, default=10, nullable=True),
        Flag(name="selfOnly", default=False, nullable=True),
    )
    values = read_fields(fields, await read_object(request), services.settings)
    owner = key_of(request) if values["selfOnly"] else None
    # Import here, so that only a search loads NumPy.
    from sandbox.search import search

    hits = search(services.store, values["query"], values["numResults"], owner)
    results = [
        {"similarity": similarity, "file": services.serializer.file(file, file.hydrated_until)}
        for similarity, file in hits
    ]
    return JSONResponse({"results": results})


@router.post("/import-url")
async def create_import(request: Request) -> JSONResponse:
    """202 with the id to poll."""
    services = services_of(request)
    if not services.settings.at_least("2.5"):
        raise not_found("Path")
    fields = (
        Text(name="url", required=True, min_length=1),
        Text(name="displayName", nullable=True),
        Choice(name="type", values=tuple(supported_types(services.settings)), nullable=True),
        Flag(name="isTemporary", default=False, nullable=True),
    )
    values = read_fields(fields, await read_object(request), services.settings)
    check_url(values["url"])
    values["isTemporary"] = bool(values["isTemporary"])
    item = services.imports.submit(key_of(request), values)
    return JSONResponse(services.imports.as_json(item), 202)


@router.get("/imports/{import_id}")
async def get_import(request: Request, import_id: str) -> JSONResponse:
    services = services_of(request)
    if not services.settings.at_least("2.5"):
        raise not_found("Path")
    item = services.store.get(Import, ids.check_id(import_id, ids.IMPORT, "file import"))
    if item is None:
        raise not_found("File import")
    return JSONResponse(services.imports.as_json(item))


@router.get("/{file_id}")
async def get_file(request: Request, file_id: str) -> JSONResponse:
    """The URLs that were signed last. Does not renew them (docs/api-notes.md#signed-urls)."""
    services = services_of(request)
    file = find_file(services, file_id)
    return _file_response(services, file)


@router.post("/{file_id}/hydrate")
async def hydrate_file(request: Request, file_id: str) -> JSONResponse:
    services = services_of(request)
    file = find_file(services, file_id)
    file.hydrated_until = services.url_expiry()
    services.store.save(file)
    return _file_response(services, file)


@router.post("/{file_id}/archive")
async def archive_file(request: Request, file_id: str) -> JSONResponse:
    """Hide the file from lists and search. It stays usable; archiving is idempotent (docs/api-notes.md#files)."""
    services = services_of(request)
    file = find_file(services, file_id)
    if not file.archived:
        file.archived = True
        file.updated_at = time.time()
        services.store.save(file)
    return _file_response(services, file)


@router.post("/{file_id}/enable-public-preview")
async def enable_public_preview(request: Request, file_id: str) -> JSONResponse:
    """409 while the file is being processed. API version 0.0: video and audio only (docs/api-notes.md#public-previews)."""
    services = services_of(request)
    file = find_file(services, file_id)
    if not file.is_ready:
        raise ApiError(409, {"message": "The file is not ready for a public preview.", "code": None})
    if not services.settings.at_least("1.0") and file.type not in ("VIDEO", "AUDIO"):
        raise invalid_parameters("fileId must be a VIDEO or AUDIO file")
    if file.public_since is None:
        file.public_since = file.updated_at = time.time()
        services.store.save(file)
    return _file_response(services, file)


@router.post("/{file_id}/disable-public-preview")
async def disable_public_preview(request: Request, file_id: str) -> JSONResponse:
    services = services_of(request)
    file = find_file(services, file_id)
    if file.public_since is not None:
        file.public_since = None
        file.updated_at = time.time()
        services.store.save(file)
    return _file_response(services, file)


def _file_response(services: Services, file: File) -> JSONResponse:
    return JSONResponse(services.serializer.file(file, file.hydrated_until))
