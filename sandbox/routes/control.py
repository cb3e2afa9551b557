"""/sandbox/*: the control interface for tests, on this machine only."""

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
from sandbox.world import World, read_object, world_of

router = APIRouter(prefix="/sandbox")
_EVERYTHING = 1_000_000
_ORDERS = ("faults", "limits", "urlLifetimeSeconds", "uploadLifetimeSeconds")


@router.get("/faults")
async def show_faults(request: Request) -> JSONResponse:
    return JSONResponse(_faults(world_of(request)))


@router.put("/faults")
async def replace_faults(request: Request) -> JSONResponse:
    return await _order(request, replace=True)


@router.post("/faults")
async def add_faults(request: Request) -> JSONResponse:
    return await _order(request, replace=False)


@router.delete("/faults")
async def clear_faults(request: Request) -> JSONResponse:
    """Back to normal: no faults, documented limits; messages held back are sent."""
    world = world_of(request)
    world.faults.clear()
    world.limits.override({})
    world.webhooks.release()
    return JSONResponse(_faults(world))


@router.get("/truth")
async def show_truth(request: Request) -> JSONResponse:
    """All executions with what really became of them, newest first."""
    world = world_of(request)
    found = [world.engine.refresh(item) for item in world.store.page(Execution, _EVERYTHING)]
    return JSONResponse({"executions": [_truth(execution) for execution in found]})


@router.get("/deliveries")
async def show_deliveries(request: Request) -> JSONResponse:
    """All webhook messages with their attempts and answers, newest first."""
    messages = world_of(request).store.page(Message, _EVERYTHING)
    return JSONResponse({"deliveries": [_delivery(message) for message in messages]})


@router.post("/deliveries/release")
async def release_deliveries(request: Request) -> JSONResponse:
    """Send what ``webhook_hold`` held; ``?backwards=true`` last first."""
    backwards = read_flag(request.query_params, "backwards")
    return JSONResponse({"released": world_of(request).webhooks.release(backwards=backwards)})


async def _order(request: Request, *, replace: bool) -> JSONResponse:
    """``{faults, limits: {group: {limit, seconds}}, urlLifetimeSeconds, uploadLifetimeSeconds}``, all or nothing."""
    world = world_of(request)
    body = await read_object(request)
    unknown = set(body) - set(_ORDERS)
    if unknown:
        raise invalid_parameters(f"unknown: {', '.join(sorted(unknown))}")
    given = body.get("faults", [])
    if not isinstance(given, list):
        raise invalid_parameters("faults must be a list")
    faults = [parse_fault(item) for item in given]
    limits = _limits(body.get("limits", {}))
    for name in ("urlLifetimeSeconds", "uploadLifetimeSeconds"):
        if body.get(name) is not None and not is_number(body[name]):
            raise invalid_parameters(f"{name} must be a number")
    lifetime, upload_lifetime = body.get("urlLifetimeSeconds"), body.get("uploadLifetimeSeconds")
    if replace:
        world.faults.clear()
    world.faults.orders += faults
    if lifetime is not None:
        world.faults.url_lifetime = lifetime
    if upload_lifetime is not None:
        world.faults.upload_lifetime = upload_lifetime
    if replace or limits:
        world.limits.override(limits if replace else world.limits.overrides | limits)
    return JSONResponse(_faults(world))


def _limits(value: Any) -> dict[str, Override]:
    if not isinstance(value, dict):
        raise invalid_parameters("limits must be an object")
    overrides = {}
    for name, told in value.items():
        if name not in NAMES:
            raise invalid_parameters(f"limits knows only {', '.join(NAMES)}")
        limit = told.get("limit") if isinstance(told, dict) else told
        seconds = told.get("seconds", 3600) if isinstance(told, dict) else 3600
        if not is_number(limit) or not is_number(seconds) or limit < 0 or seconds < 0:
            raise invalid_parameters(f"limits: {name} must be a number, or limit and seconds")
        overrides[name] = Override(int(limit), float(seconds))
    return overrides


def _faults(world: World) -> dict[str, Any]:
    overrides = world.limits.overrides
    return {
        "faults": [fault.as_json() for fault in world.faults.orders],
        "limits": {name: {"limit": item.limit, "seconds": item.seconds} for name, item in overrides.items()},
        "urlLifetimeSeconds": world.faults.url_lifetime,
        "uploadLifetimeSeconds": world.faults.upload_lifetime,
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
        "cancelAskedAt": execution.cancel_asked_at,
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
