"""The ASGI application: routes, error responses and the middleware around them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from sandbox.errors import ApiError
from sandbox.middleware import ApiMiddleware
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
from sandbox.services import Services


def build_app(services: Services) -> ASGIApp:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services = services
    # Executions before tools: POST /v1/tools/{slug} must not match their paths.
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
    app.add_exception_handler(ApiError, _error_response)
    app.add_exception_handler(HTTPException, _http_error_response)
    return ApiMiddleware(app, services.settings.keys, services.limits, services.faults, services.age_of)


async def _error_response(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError), "registered for ApiError only"
    return JSONResponse(_body(error, request), error.status, error.headers)


def _body(error: ApiError, request: Request) -> dict[str, Any]:
    """The body, with the error codes of API version 2 where that version is used (docs/api-notes.md#errors)."""
    services = request.app.state.services
    if services.settings.api_version not in ("2", "2.5") or not request.url.path.startswith("/v1/"):
        return error.body
    code = error.body.get("code")
    if code == "invalid_parameters":
        return {**error.body, "code": "invalid_request"}
    return {**error.body, "code": code or {403: "not_authorized", 404: "not_found"}.get(error.status)}


async def _http_error_response(request: Request, error: Exception) -> JSONResponse:
    """404 and 405 for unknown paths and methods, in the API's error format."""
    assert isinstance(error, HTTPException), "registered for HTTPException only"
    message = f"{request.method} {request.url.path}: {error.detail}."
    return JSONResponse({"message": message, "code": None}, error.status_code, error.headers)
