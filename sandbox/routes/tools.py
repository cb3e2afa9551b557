"""POST /v1/tools/{tool}: checks the inputs and starts a job."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox import ids
from sandbox.errors import invalid_parameters, not_found, watermark_refused
from sandbox.fields import FileId, FileIds, read_fields
from sandbox.records import File
from sandbox.tools import TOOLS, Tool
from sandbox.world import World, key_of, read_object, world_of

router = APIRouter()


@router.post("/v1/tools/{slug}")
async def start_tool(request: Request, slug: str) -> JSONResponse:
    world = world_of(request)
    tool = TOOLS.get(slug)
    if tool is None or not world.settings.knows(tool.since):
        raise not_found("Tool")
    values = accept(world, tool, await read_object(request))
    execution = world.engine.submit(tool, values, key_of(request))
    return JSONResponse({"toolExecutionId": execution.id}, 202)


def accept(world: World, tool: Tool, body: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a job, checked in the order shape, permission, files; raises the refusal."""
    values = read_fields(tool.fields, body, world.settings)
    _check_choice(tool, values)
    if values.get("watermarkMode") == "NONE":
        raise watermark_refused()
    if tool.check is not None:
        tool.check(values)
    values["_inputs"] = _checked_files(world, tool, values)
    return values


def _check_choice(tool: Tool, values: dict[str, Any]) -> None:
    """At least one of the alternative sets of fields must be there as a whole."""
    if not tool.one_of or any(all(values.get(name) for name in names) for names in tool.one_of):
        return
    sets = [" and ".join(names) for names in tool.one_of]
    raise invalid_parameters(f"{' or '.join(sets)} is required")


def _checked_files(world: World, tool: Tool, values: dict[str, Any]) -> list[str]:
    """The ids of all files that the request names, each of them there and of the right type (A9, A12)."""
    named: list[str] = []
    for field in tool.fields:
        value = values.get(field.name)
        if not isinstance(field, (FileId, FileIds)) or value is None:
            continue
        for file_id in value if isinstance(value, list) else [value]:
            _check_file(world, field.name, file_id, field.file_type)
            named.append(file_id)
    return named


def _check_file(world: World, name: str, file_id: str, file_type: str | None) -> None:
    file = world.store.get(File, ids.check_id(file_id, ids.FILE, "file"))
    if file is None:
        raise not_found("File")
    download = file.rendition("download")
    if download is None or download.status != "ready":
        raise invalid_parameters(f"{name} names a file that is not ready")
    if file_type is not None and file.type != file_type:
        raise invalid_parameters(
            f"{name} must name {_article(file_type)} file, not {_article(file.type)} one"
        )


def _article(file_type: str | None) -> str:
    if file_type is None:
        return "an unknown"
    return f"an {file_type}" if file_type[0] in "AIO" else f"a {file_type}"
