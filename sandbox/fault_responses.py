"""Responses of request faults: a replacement before the handler runs, or an altered real response."""

from __future__ import annotations

import json
import math
import time
from typing import Any

from sandbox.errors import ApiError
from sandbox.faults import Fault
from sandbox.response import BufferedResponse

_ERROR_PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_REQUIREMENTS = {
    "purchase_add_on": {"addOn": "production_api"},
    "upgrade_plan": {"plan": "business"},
}


def replacement_response(fault: Fault, age: float | None) -> BufferedResponse | None:
    """The response that the fault sends instead of calling the handler, or None.

    ``age``: seconds since the object in the path was created, None when there is no such object.
    """
    options = fault.options
    match fault.kind:
        case "rate_limited":
            return _rate_limited_response(options["hint"], options["seconds"], options["code"])
        case "unauthorized":
            body = {"message": "This API key does not exist or was revoked.", "code": options["code"]}
            return BufferedResponse.from_error(ApiError(401, body))
        case "forbidden":
            kind = options["requirement"]
            requirement = {"type": kind, "details": _REQUIREMENTS.get(kind, {})}
            body = {"message": "Your plan does not include this.", "code": "not_authorized"}
            return BufferedResponse.from_error(ApiError(403, {**body, "requirement": requirement}))
        case "expired":
            return BufferedResponse.from_error(
                ApiError(403, {"message": "This link has expired.", "code": None})
            )
        case "not_found" if _is_young(age, options["younger_than"]):
            return BufferedResponse.from_error(ApiError(404, {"message": "Not found.", "code": None}))
        case "status" if not options["accepted"]:
            return _custom_response(fault)
        case "malformed" if not options["accepted"]:
            response = BufferedResponse(
                200, {"content-type": "application/json"}, b'{"message": "nothing was accepted"}'
            )
            _make_malformed(response, options["shape"], options["bytes"])
            return response
        case _:
            return None


def alter_response(fault: Fault, response: BufferedResponse) -> BufferedResponse:
    """Apply the fault to a real response."""
    options = fault.options
    match fault.kind:
        case "malformed":
            _make_malformed(response, options["shape"], options["bytes"])
        case "unknown_fields" if response.status < 400:
            extra = options["fields"] or {"novelty": {"since": "tomorrow"}, "moreResults": [1, None]}
            response.edit(lambda data: {**data, **extra})
        case "unknown_status" if response.status < 400:
            response.edit(lambda data: _with_status(data, options["value"]))
        case "status":
            return _custom_response(fault)
    return response


def _is_young(age: float | None, limit: float | None) -> bool:
    return limit is None or (age is not None and age < limit)


def _rate_limited_response(hint: str, seconds: float, code: str) -> BufferedResponse:
    response = BufferedResponse.from_error(
        ApiError(429, {"message": "Too many requests for this endpoint.", "code": code})
    )
    match hint:
        case "retry_after":
            response.headers["Retry-After"] = str(max(1, round(seconds)))
        case "reset":
            response.headers["X-RateLimit-Remaining"] = "0"
            response.headers["X-RateLimit-Reset"] = str(math.ceil(time.time() + seconds))
        case _:
            response.with_rate_limits = False
    return response


def _custom_response(fault: Fault) -> BufferedResponse:
    status, body = fault.options["status"], fault.options["body"]
    extra = {str(name): str(value) for name, value in (fault.options["headers"] or {}).items()}
    if isinstance(body, str):
        return BufferedResponse(status, {"content-type": "text/html; charset=utf-8", **extra}, body.encode())
    if body is None:
        body = {"message": "Something went wrong on our side.", "internalErrorCode": f"SBX-{status}"}
    return BufferedResponse(status, {"content-type": "application/json", **extra}, json.dumps(body).encode())


def _make_malformed(response: BufferedResponse, shape: str, size: int) -> None:
    match shape:
        case "html":
            response.headers["content-type"] = "text/html"
            response.body = _ERROR_PAGE
        case "truncated":
            response.body = response.body[: max(1, len(response.body) // 2)]
        case "no_id":
            response.edit(lambda data: {"message": "accepted"})
        case "huge":
            response.body = b'{"padding": "' + b"x" * size + b'"}'
        case _:
            response.body = b""


def _with_status(data: dict[str, Any], value: str) -> dict[str, Any]:
    """Replace the status of an execution, or of all executions of a list."""
    if "toolExecutions" in data:
        return {**data, "toolExecutions": [_with_status(item, value) for item in data["toolExecutions"]]}
    return {**data, "status": value} if "status" in data else data
