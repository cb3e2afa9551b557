"""GET /v1/me: the owner of the API key."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from sandbox.errors import not_found
from sandbox.services import key_of, services_of

router = APIRouter()


@router.get("/v1/me")
async def get_me(request: Request) -> JSONResponse:
    """All keys of a sandbox belong to one team. The response does not contain the key."""
    settings = services_of(request).settings
    if not settings.at_least("1.1"):
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
