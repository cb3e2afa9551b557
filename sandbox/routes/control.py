"""/sandbox/*: the control interface for tests, for calls from the same machine only."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox.errors import invalid_parameters
from sandbox.faults import parse_fault
from sandbox.fields import is_number
from sandbox.limits import NAMES, Override
from sandbox.paging import read_flag
from sandbox.records import Execution, Message
from sandbox.services import Services, read_object, services_of

router = APIRouter(prefix="/sandbox")
_NO_LIMIT = 1_000_000
_KEYS = ("faults", "limits", "urlLifetimeSeconds", "uploadLifetimeSeconds")


@router.get("/faults")
async def show_faults(request: Request) -> JSONResponse:
    return JSONResponse(_faults(services_of(request)))


@router.put("/faults")
async def replace_faults(request: Request) -> JSONResponse:
    return await _set_faults(request, replace=True)


@router.post("/faults")
async def add_faults(request: Request) -> JSONResponse:
    return await _set_faults(request, replace=False)


@router.delete("/faults")
async def clear_faults(request: Request) -> JSONResponse:
    """Remove all faults, restore the documented limits and send held messages."""
    services = services_of(request)
    services.faults.clear()
    services.limits.override({})
    services.webhooks.release()
    return JSONResponse(_faults(services))


@router.get("/truth")
async def show_truth(request: Request) -> JSONResponse:
    """All executions with their true outcome, newest first."""
    services = services_of(request)
    found = [services.engine.refresh(item) for item in services.store.page(Execution, _NO_LIMIT)]
    return JSONResponse({"executions": [_truth(execution) for execution in found]})


@router.get("/deliveries")
async def show_deliveries(request: Request) -> JSONResponse:
    """All webhook messages with their attempts and responses, newest first."""
    messages = services_of(request).store.page(Message, _NO_LIMIT)
    return JSONResponse({"deliveries": [_delivery(message) for message in messages]})


@router.post("/deliveries/release")
async def release_deliveries(request: Request) -> JSONResponse:
    """Send the messages held by ``webhook_hold``; ``?backwards=true`` in reverse order."""
    backwards = read_flag(request.query_params, "backwards")
    return JSONResponse({"released": services_of(request).webhooks.release(backwards=backwards)})


async def _set_faults(request: Request, *, replace: bool) -> JSONResponse:
    """Apply ``{faults, limits: {group: {limit, seconds}}, urlLifetimeSeconds, uploadLifetimeSeconds}``, all or nothing."""
    services = services_of(request)
    body = await read_object(request)
    unknown = set(body) - set(_KEYS)
    if unknown:
        raise invalid_parameters(f"unknown key: {', '.join(sorted(unknown))}")
    items = body.get("faults", [])
    if not isinstance(items, list):
        raise invalid_parameters("faults must be a list")
    faults = [parse_fault(item) for item in items]
    limits = _limits(body.get("limits", {}))
    for name in ("urlLifetimeSeconds", "uploadLifetimeSeconds"):
        if body.get(name) is not None and not is_number(body[name]):
            raise invalid_parameters(f"{name} must be a number")
    lifetime, upload_lifetime = body.get("urlLifetimeSeconds"), body.get("uploadLifetimeSeconds")
    if replace:
        services.faults.clear()
    services.faults.active += faults
    if lifetime is not None:
        services.faults.url_lifetime = lifetime
    if upload_lifetime is not None:
        services.faults.upload_lifetime = upload_lifetime
    if replace or limits:
        services.limits.override(limits if replace else services.limits.overrides | limits)
    return JSONResponse(_faults(services))


def _limits(value: Any) -> dict[str, Override]:
    if not isinstance(value, dict):
        raise invalid_parameters("limits must be an object")
    overrides = {}
    for name, setting in value.items():
        if name not in NAMES:
            raise invalid_parameters(f"limits must be among {', '.join(NAMES)}")
        limit = setting.get("limit") if isinstance(setting, dict) else setting
        seconds = setting.get("seconds", 3600) if isinstance(setting, dict) else 3600
        if not is_number(limit) or not is_number(seconds) or limit < 0 or seconds < 0:
            raise invalid_parameters(f"limits: {name} must be a number, or limit and seconds")
        overrides[name] = Override(int(limit), float(seconds))
    return overrides


def _faults(services: Services) -> dict[str, Any]:
    overrides = services.limits.overrides
    return {
        "faults": [fault.as_json() for fault in services.faults.active],
        "limits": {name: {"limit": item.limit, "seconds": item.seconds} for name, item in overrides.items()},
        "urlLifetimeSeconds": services.faults.url_lifetime,
        "uploadLifetimeSeconds": services.faults.upload_lifetime,
    }


def _truth(execution: Execution) -> dict[str, Any]:
    return {
        "toolExecutionId": execution.id,
        "tool": execution.tool,
        "status": execution.status,
        "progressPercentage": round(execution.progress, 1),
        "attemptIndex": execution.attempt,
        "createdAt": execution.created_at,
        "endedAt": execution.ended_at,
        "cancelRequestedAt": execution.cancel_requested_at,
        "results": execution.results,
        "error": execution.error,
        "request": {name: value for name, value in execution.request.items() if not name.startswith("_")},
    }


def _delivery(message: Message) -> dict[str, Any]:
    return {
        "webhookId": message.id,
        "endpointId": message.endpoint,
        "url": message.url,
        "event": message.event,
        "status": message.status,
        "createdAt": message.created_at,
        "attempts": message.attempts,
        "body": json.loads(message.body),
    }
