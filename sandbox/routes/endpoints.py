"""/v1/webhooks/endpoints: register, list and delete delivery targets."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from sandbox import ids
from sandbox.errors import invalid_parameters, not_found
from sandbox.fields import check_text, check_url
from sandbox.paging import record_page
from sandbox.records import Endpoint
from sandbox.webhooks import new_secret
from sandbox.world import key_of, read_object, world_of

router = APIRouter(prefix="/v1/webhooks/endpoints")

_OUTCOMES = ("succeeded", "failed", "cancelled")
EVENTS = (
    *(f"tool_execution.{outcome}" for outcome in _OUTCOMES),
    "file.upload.completed",
    "file.upload.failed",
    "file.playback_ready",
    "file.download_ready",
    "file.analysis_completed",
    "file.analysis_failed",
    *(f"{thing}.{outcome}" for thing in ("workflow_run", "project_export", "assistant_message") for outcome in _OUTCOMES),
)  # fmt: skip


@router.get("")
async def list_endpoints(request: Request) -> JSONResponse:
    world = world_of(request)
    found, cursor = record_page(world.settings, world.store, Endpoint, request.query_params, None)
    items = [world.shapes.endpoint(endpoint) for endpoint in found]
    return JSONResponse(world.shapes.page("endpoints", items, cursor))


@router.post("")
async def create_endpoint(request: Request) -> JSONResponse:
    """201 with the signing secret, the only time it is shown."""
    world = world_of(request)
    body = await read_object(request)
    endpoint = Endpoint(
        id=ids.new_id(world.settings.endpoint_prefix),
        owner=key_of(request),
        url=check_url(body.get("url")),
        events=_events(body.get("events")),
        description=_description(body.get("description")),
        secret=new_secret(),
    )
    world.store.save(endpoint)
    return JSONResponse(world.shapes.endpoint(endpoint, with_secret=True), 201)


@router.delete("/{endpoint_id}")
async def delete_endpoint(request: Request, endpoint_id: str) -> Response:
    """Deliveries stop at once, those that are waiting included."""
    world = world_of(request)
    if not world.store.delete(Endpoint, ids.check_id(endpoint_id, ids.ENDPOINT, "webhook endpoint")):
        raise not_found("Webhook endpoint")
    return Response(status_code=204)


def _events(value: Any) -> list[str]:
    if value is None:
        raise invalid_parameters("events is required")
    if not isinstance(value, list) or not value:
        raise invalid_parameters("events must be a list with at least one event")
    for name in value:
        if not isinstance(name, str) or name not in EVENTS:
            raise invalid_parameters(f"events must be among {', '.join(EVENTS)}")
    return list(dict.fromkeys(value))


def _description(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise invalid_parameters("description must be a text")
    return None if value is None else check_text("description", value)
