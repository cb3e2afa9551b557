"""GET /v1/me: whose key is this."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox.errors import not_found
from sandbox.world import key_of, world_of

router = APIRouter()


@router.get("/v1/me")
async def get_me(request: Request) -> JSONResponse:
    """All keys of one sandbox belong to one team; the key itself is never shown."""
    settings = world_of(request).settings
    if not settings.knows("1.1"):
        raise not_found("Path")
    number = settings.keys.index(key_of(request)) + 1
    digest = hashlib.sha256(key_of(request).encode()).hexdigest()
    return JSONResponse(
        {
            "apiKeyId": f"vg_key_{digest[:20]}",
            "apiKeyNickname": f"sandbox key {number}",
            "email": f"person{number}@sandbox.example",
            "displayName": f"Sandbox person {number}",
            "teamId": "vg_team_sandbox00000000000000",
        }
    )
