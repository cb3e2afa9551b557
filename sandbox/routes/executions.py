"""/v1/tools/executions: get, list and cancel executions."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox import ids
from sandbox.errors import not_found
from sandbox.paging import read_flag, record_page
from sandbox.records import Execution
from sandbox.services import Services, key_of, services_of

router = APIRouter(prefix="/v1/tools/executions")
RENEW_WITHIN = 3600.0
"""API version 2 renews the URLs of a single execution that expire within this many seconds, or within half of their
lifetime, if that is shorter (docs/api-notes.md#signed-urls)."""


@router.get("")
async def list_executions(request: Request) -> JSONResponse:
    services = services_of(request)
    if not services.settings.at_least("1.1"):
        raise not_found("Path")
    owner = key_of(request) if read_flag(request.query_params, "selfOnly") else None
    found, cursor = record_page(services.settings, services.store, Execution, request.query_params, owner)
    items = [_to_json(services, services.engine.refresh(execution)) for execution in found]
    return JSONResponse(services.serializer.page("toolExecutions", items, cursor))


@router.get("/{execution_id}")
async def get_execution(request: Request, execution_id: str) -> JSONResponse:
    services = services_of(request)
    execution = _find(services, execution_id)
    if services.settings.api_version in ("2", "2.5") and execution.signed_until is not None:
        now, renewed_until = time.time(), services.url_expiry()
        if execution.signed_until - now < min(RENEW_WITHIN, (renewed_until - now) / 2):
            execution.signed_until = renewed_until
            services.store.save(execution)
    return JSONResponse(_to_json(services, execution))


@router.post("/{execution_id}/cancel")
async def cancel_execution(request: Request, execution_id: str) -> JSONResponse:
    """202 in any state: the request is recorded, and a final execution does not change (docs/api-notes.md#cancelling)."""
    services = services_of(request)
    execution = _find(services, execution_id)
    services.engine.cancel(execution.id)
    return JSONResponse({"toolExecutionId": execution.id}, 202)


def _find(services: Services, execution_id: str) -> Execution:
    execution = services.engine.find(ids.check_id(execution_id, ids.EXECUTION, "tool execution"))
    if execution is None:
        raise not_found("Tool execution")
    return execution


def _to_json(services: Services, execution: Execution) -> dict[str, object]:
    return services.serializer.execution(execution, services.files_of(execution))
