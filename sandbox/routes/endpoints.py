"""/v1/webhooks/endpoints: create, list and delete webhook endpoints."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from sandbox import ids
from sandbox.errors import invalid_parameters, not_found
from sandbox.fields import check_text, check_url
from sandbox.paging import record_page
from sandbox.records import Endpoint
from sandbox.services import key_of, read_object, services_of
from sandbox.webhooks import new_secret

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
    *(f"{resource}.{outcome}" for resource in ("workflow_run", "project_export", "assistant_message") for outcome in _OUTCOMES),
)  # fmt: skip


@router.get("")
async def list_endpoints(request: Request) -> JSONResponse:
    services = services_of(request)
    found, cursor = record_page(services.settings, services.store, Endpoint, request.query_params, None)
    items = [services.serializer.endpoint(endpoint) for endpoint in found]
    return JSONResponse(services.serializer.page("endpoints", items, cursor))


@router.post("")
async def create_endpoint(request: Request) -> JSONResponse:
    """201 with the signing secret, which is shown only here."""
    services = services_of(request)
    body = await read_object(request)
    endpoint = Endpoint(
        id=ids.new_id(services.settings.endpoint_prefix),
        owner=key_of(request),
        url=check_url(body.get("url")),
        events=_events(body.get("events")),
        description=_description(body.get("description")),
        secret=new_secret(),
    )
    services.store.save(endpoint)
    return JSONResponse(services.serializer.endpoint(endpoint, with_secret=True), 201)


@router.delete("/{endpoint_id}")
async def delete_endpoint(request: Request, endpoint_id: str) -> Response:
    """Stops all deliveries at once, including waiting ones."""
    services = services_of(request)
    if not services.store.delete(Endpoint, ids.check_id(endpoint_id, ids.ENDPOINT, "webhook endpoint")):
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
        raise invalid_parameters("description must be a string")
    return None if value is None else check_text("description", value)
