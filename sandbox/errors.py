"""Error responses of the API (docs/api-notes.md#errors)."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error response: HTTP status, JSON body, extra headers."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body.get('message')}")
        self.status = status
        self.body = body
        self.headers = headers or {}


def invalid_parameters(message: str) -> ApiError:
    return ApiError(400, {"message": message, "code": "invalid_parameters"})


def invalid_id(value: str, resource: str) -> ApiError:
    truncated = value if len(value) <= 80 else value[:80] + "…"
    return ApiError(
        400, {"message": f'The id "{truncated}" is not a valid {resource} id.', "code": "invalid_id"}
    )


def not_found(resource: str) -> ApiError:
    """The same response for a missing object and for another team's object."""
    return ApiError(404, {"message": f"{resource} not found.", "code": None})


def missing_key() -> ApiError:
    body = {
        "message": "Send your API key as 'Authorization: Bearer <key>'.",
        "code": "missing_api_key",
    }
    return ApiError(401, body, {"WWW-Authenticate": "Bearer"})


def invalid_key() -> ApiError:
    body = {"message": "This API key does not exist or was revoked.", "code": "invalid_api_key"}
    return ApiError(401, body, {"WWW-Authenticate": "Bearer"})


def rate_limited() -> ApiError:
    return ApiError(429, {"message": "Too many requests for this endpoint.", "code": "rate_limited"})


def storage_error(status: int, message: str) -> ApiError:
    """An error of the storage behind upload URLs, which is not part of /v1 and has no error codes."""
    return ApiError(status, {"message": message, "code": None})


def watermark_removal_refused() -> ApiError:
    """Output without a watermark needs an add-on that the sandbox's account lacks (docs/api-notes.md#errors)."""
    return ApiError(
        403,
        {
            "message": "Output without a watermark needs the Production API add-on.",
            "requirement": {"type": "purchase_add_on", "details": {"addOn": "production_api"}},
        },
    )
