"""The refusals that the API can answer with (docs/api-notes.md#errors)."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer other than success: HTTP status, JSON body, extra headers."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body.get('message')}")
        self.status = status
        self.body = body
        self.headers = headers or {}


def invalid_parameters(message: str) -> ApiError:
    return ApiError(400, {"message": message, "code": "invalid_parameters"})


def invalid_id(value: str, thing: str) -> ApiError:
    shown = value if len(value) <= 80 else value[:80] + "…"
    return ApiError(400, {"message": f'The id "{shown}" is not a valid {thing} id.', "code": "invalid_id"})


def not_found(thing: str) -> ApiError:
    """Absent, or another team's: the two look the same."""
    return ApiError(404, {"message": f"{thing} not found.", "code": None})


def missing_key() -> ApiError:
    body = {
        "message": "Send your API key as 'Authorization: Bearer <key>'.",
        "code": "missing_api_key",
    }
    return ApiError(401, body, {"WWW-Authenticate": "Bearer"})


def wrong_key() -> ApiError:
    body = {"message": "This API key does not exist or was revoked.", "code": "invalid_api_key"}
    return ApiError(401, body, {"WWW-Authenticate": "Bearer"})


def rate_limited() -> ApiError:
    return ApiError(429, {"message": "Too many requests for this endpoint.", "code": "rate_limited"})


def storage_refusal(status: int, message: str) -> ApiError:
    """What the storage behind upload URLs answers; it is no part of /v1 and knows no codes."""
    return ApiError(status, {"message": message, "code": None})


def watermark_refused() -> ApiError:
    """Clean output needs an add-on, and the sandbox's account has none (docs/api-notes.md#errors)."""
    return ApiError(
        403,
        {
            "message": "Output without a watermark needs the Production API add-on.",
            "requirement": {"type": "purchase_add_on", "details": {"addOn": "production_api"}},
        },
    )
