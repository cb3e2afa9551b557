"""What request faults make of an answer: one made up before the handler runs, or a real one spoiled after it."""

from __future__ import annotations

import json
import math
import time
from typing import Any

from sandbox.answer import Answer
from sandbox.errors import ApiError
from sandbox.faults import Fault

_PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_REQUIREMENTS = {
    "purchase_add_on": {"addOn": "production_api"},
    "upgrade_plan": {"plan": "business"},
}


def instead(fault: Fault, age: float | None) -> Answer | None:
    """The answer that a fault puts in place of the handler, if it is of that sort.

    ``age``: seconds since the thing that the path names was made, None when there is no such thing.
    """
    options = fault.options
    match fault.kind:
        case "rate_limited":
            return _limited(options["hint"], options["seconds"], options["code"])
        case "unauthorized":
            body = {"message": "This API key does not exist or was revoked.", "code": options["code"]}
            return Answer.of(ApiError(401, body))
        case "forbidden":
            kind = options["requirement"]
            requirement = {"type": kind, "details": _REQUIREMENTS.get(kind, {})}
            body = {"message": "Your plan does not include this.", "code": "not_authorized"}
            return Answer.of(ApiError(403, {**body, "requirement": requirement}))
        case "expired":
            return Answer.of(ApiError(403, {"message": "This link has expired.", "code": None}))
        case "not_found" if _is_young(age, options["younger_than"]):
            return Answer.of(ApiError(404, {"message": "Not found.", "code": None}))
        case "status" if not options["accepted"]:
            return _made_up(fault)
        case "malformed" if not options["accepted"]:
            answer = Answer(200, {"content-type": "application/json"}, b'{"message": "nothing was accepted"}')
            _malform(answer, options["shape"], options["bytes"])
            return answer
        case _:
            return None


def spoil(fault: Fault, answer: Answer) -> Answer:
    """A real answer as it looks after the fault has struck."""
    options = fault.options
    match fault.kind:
        case "malformed":
            _malform(answer, options["shape"], options["bytes"])
        case "unknown_fields" if answer.status < 400:
            extra = options["fields"] or {"novelty": {"since": "tomorrow"}, "moreResults": [1, None]}
            answer.edit(lambda data: {**data, **extra})
        case "unknown_status" if answer.status < 400:
            answer.edit(lambda data: _with_status(data, options["value"]))
        case "status":
            return _made_up(fault)
    return answer


def _is_young(age: float | None, limit: float | None) -> bool:
    return limit is None or (age is not None and age < limit)


def _limited(hint: str, seconds: float, code: str) -> Answer:
    answer = Answer.of(ApiError(429, {"message": "Too many requests for this endpoint.", "code": code}))
    match hint:
        case "retry_after":
            answer.headers["Retry-After"] = str(max(1, round(seconds)))
        case "reset":
            answer.headers["X-RateLimit-Remaining"] = "0"
            answer.headers["X-RateLimit-Reset"] = str(math.ceil(time.time() + seconds))
        case _:
            answer.with_limits = False
    return answer


def _made_up(fault: Fault) -> Answer:
    status, body = fault.options["status"], fault.options["body"]
    extra = {str(name): str(value) for name, value in (fault.options["headers"] or {}).items()}
    if isinstance(body, str):
        return Answer(status, {"content-type": "text/html; charset=utf-8", **extra}, body.encode())
    if body is None:
        body = {"message": "Something went wrong on our side.", "internalErrorCode": f"SBX-{status}"}
    return Answer(status, {"content-type": "application/json", **extra}, json.dumps(body).encode())


def _malform(answer: Answer, shape: str, size: int) -> None:
    match shape:
        case "html":
            answer.headers["content-type"] = "text/html"
            answer.body = _PAGE
        case "truncated":
            answer.body = answer.body[: max(1, len(answer.body) // 2)]
        case "no_id":
            answer.edit(lambda data: {"message": "accepted"})
        case "huge":
            answer.body = b'{"padding": "' + b"x" * size + b'"}'
        case _:
            answer.body = b""


def _with_status(data: dict[str, Any], value: str) -> dict[str, Any]:
    """Put the status where executions have theirs, alone or in a list."""
    if "toolExecutions" in data:
        return {**data, "toolExecutions": [_with_status(item, value) for item in data["toolExecutions"]]}
    return {**data, "status": value} if "status" in data else data
