"""The application: routes, the shape of refusals, and the gate around everything."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from sandbox.errors import ApiError
from sandbox.gate import Gate
from sandbox.routes import (
    account,
    control,
    endpoints,
    executions,
    files,
    incoming,
    media,
    resources,
    streams,
    tools,
    workflows,
)
from sandbox.world import World


def build_app(world: World) -> ASGIApp:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.world = world
    # Executions before tools: POST /v1/tools/{slug} must not swallow their paths.
    for module in (
        executions,
        tools,
        workflows,
        files,
        resources,
        endpoints,
        account,
        media,
        streams,
        incoming,
        control,
    ):
        app.include_router(module.router)
    app.add_exception_handler(ApiError, _refuse)
    app.add_exception_handler(HTTPException, _refuse_path)
    return Gate(app, world.settings.keys, world.limits, world.faults, world.age_of)


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError), "registered for ApiError only"
    return JSONResponse(_worded(error, request), error.status, error.headers)


def _worded(error: ApiError, request: Request) -> dict[str, Any]:
    """The body with the codes of era 2, where that is spoken (docs/api-notes.md#errors)."""
    world = request.app.state.world
    if world.settings.era not in ("2", "2.5") or not request.url.path.startswith("/v1/"):
        return error.body
    code = error.body.get("code")
    if code == "invalid_parameters":
        return {**error.body, "code": "invalid_request"}
    return {**error.body, "code": code or {403: "not_authorized", 404: "not_found"}.get(error.status)}


async def _refuse_path(request: Request, error: Exception) -> JSONResponse:
    """404 and 405 for paths and methods that do not exist, in the API's own form."""
    assert isinstance(error, HTTPException), "registered for HTTPException only"
    message = f"{request.method} {request.url.path}: {error.detail}."
    return JSONResponse({"message": message, "code": None}, error.status_code, error.headers)
