"""POST /v1/tools/{tool}: validates the inputs and starts a job."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox.errors import invalid_parameters, not_found, watermark_removal_refused
from sandbox.fields import FileId, FileIds, read_fields
from sandbox.services import Services, find_file, key_of, read_object, services_of
from sandbox.tools import TOOLS, Tool

router = APIRouter()


@router.post("/v1/tools/{slug}")
async def start_tool(request: Request, slug: str) -> JSONResponse:
    services = services_of(request)
    tool = TOOLS.get(slug)
    if tool is None or not services.settings.at_least(tool.since):
        raise not_found("Tool")
    values = validate(services, tool, await read_object(request))
    execution = services.engine.submit(tool, values, key_of(request))
    return JSONResponse({"toolExecutionId": execution.id}, 202)


def validate(services: Services, tool: Tool, body: dict[str, Any]) -> dict[str, Any]:
    """Validate the inputs of a job: fields, then permission, then files. Raises ApiError."""
    values = read_fields(tool.fields, body, services.settings)
    _check_alternatives(tool, values)
    if values.get("watermarkMode") == "NONE":
        raise watermark_removal_refused()
    if tool.check is not None:
        tool.check(values)
    values["_inputs"] = _validate_files(services, tool, values)
    return values


def _check_alternatives(tool: Tool, values: dict[str, Any]) -> None:
    """Require at least one complete set of the alternative fields."""
    if not tool.one_of or any(all(values.get(name) for name in names) for names in tool.one_of):
        return
    sets = [" and ".join(names) for names in tool.one_of]
    raise invalid_parameters(f"{' or '.join(sets)} is required")


def _validate_files(services: Services, tool: Tool, values: dict[str, Any]) -> list[str]:
    """The ids of all input files. Each must exist and have the right type."""
    file_ids: list[str] = []
    for field in tool.fields:
        value = values.get(field.name)
        if not isinstance(field, (FileId, FileIds)) or value is None:
            continue
        for file_id in value if isinstance(value, list) else [value]:
            _check_file(services, field.name, file_id, field.file_type)
            file_ids.append(file_id)
    return file_ids


def _check_file(services: Services, name: str, file_id: str, file_type: str | None) -> None:
    file = find_file(services, file_id)
    download = file.rendition("download")
    if download is None or download.status != "ready":
        raise invalid_parameters(f"{name}: the file is not ready")
    if file_type is not None and file.type != file_type:
        raise invalid_parameters(f"{name} must be {_article(file_type)} file, not {_article(file.type)} file")


def _article(file_type: str | None) -> str:
    if file_type is None:
        return "an unknown"
    return f"an {file_type}" if file_type[0] in "AIO" else f"a {file_type}"
