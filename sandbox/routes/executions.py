"""/v1/tools/executions: read one, list them, ask for a cancellation."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox import ids
from sandbox.errors import not_found
from sandbox.paging import read_flag, record_page
from sandbox.records import Execution
from sandbox.world import World, key_of, world_of

router = APIRouter(prefix="/v1/tools/executions")
RENEW_WITHIN = 3600.0
"""Era 2 renews the URLs of a single execution when less than this many seconds are left (docs/api-notes.md#signed-urls)."""


@router.get("")
async def list_executions(request: Request) -> JSONResponse:
    world = world_of(request)
    if not world.settings.knows("1.1"):
        raise not_found("Path")
    owner = key_of(request) if read_flag(request.query_params, "selfOnly") else None
    found, cursor = record_page(world.settings, world.store, Execution, request.query_params, owner)
    items = [_shape(world, world.engine.refresh(execution)) for execution in found]
    return JSONResponse(world.shapes.page("toolExecutions", items, cursor))


@router.get("/{execution_id}")
async def get_execution(request: Request, execution_id: str) -> JSONResponse:
    world = world_of(request)
    execution = _find(world, execution_id)
    if world.settings.era in ("2", "2.5") and execution.signed_until is not None:
        fresh = world.signed_from_now()
        if execution.signed_until < fresh and execution.signed_until - (
            fresh - world.settings.url_lifetime
        ) < min(RENEW_WITHIN, world.settings.url_lifetime / 2):
            execution.signed_until = fresh
            world.store.save(execution)
    return JSONResponse(_shape(world, execution))


@router.post("/{execution_id}/cancel")
async def cancel_execution(request: Request, execution_id: str) -> JSONResponse:
    """202 whatever the state: the wish is noted, and a final execution stays as it is (docs/api-notes.md#cancelling)."""
    world = world_of(request)
    execution = _find(world, execution_id)
    world.engine.cancel(execution.id)
    return JSONResponse({"toolExecutionId": execution.id}, 202)


def _find(world: World, execution_id: str) -> Execution:
    execution = world.engine.find(ids.check_id(execution_id, ids.EXECUTION, "tool execution"))
    if execution is None:
        raise not_found("Tool execution")
    return execution


def _shape(world: World, execution: Execution) -> dict[str, object]:
    return world.shapes.execution(execution, world.files_of(execution))
