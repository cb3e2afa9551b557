"""The errors of calls to VideoGen, as one tree.

    VideoGenError
    ├── Rejected                VideoGen rejected the request; nothing was started
    │   ├── InvalidRequest      400, 422, every 4xx without its own class
    │   │   └── Conflict        409
    │   ├── Unauthorized        401
    │   ├── Forbidden           403
    │   ├── NotFound            404
    │   └── RateLimited         429; `retry_after`, `out_of_credits`
    ├── ServerError             5xx; whether the request had an effect is unknown
    ├── Unreachable             certainly not accepted: DNS, routing, TLS, connect timeout, no free connection
    └── ResponseLost            the request may have been accepted, but no complete response arrived
        └── MalformedResponse   a 2xx response that cannot be parsed

    MalformedEvent              a webhook body that is not an event (not a response, so not in the tree)
    BadSignature                a delivery that VideoGen did not sign, see signature.py

A start may be sent again after Rejected and Unreachable only (docs/api-notes.md#starting).
"""

from __future__ import annotations

from typing import Any

OUT_OF_CREDITS = "insufficient_credits"


class VideoGenError(Exception):
    """`str()` of every error is a message for the user; the other attributes are for code, logs and support requests."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        requirement: dict[str, Any] | None = None,
        internal_error_code: str | None = None,
        request_id: str | None = None,
        raw: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.requirement = requirement
        self.internal_error_code = internal_error_code
        self.request_id = request_id
        self.raw = raw

    def __repr__(self) -> str:
        names = ("status", "code", "internal_error_code", "request_id")
        details = "".join(
            f", {name}={value!r}" for name in names if (value := getattr(self, name)) is not None
        )
        return f"{type(self).__name__}({self.message!r}{details})"


class Rejected(VideoGenError):
    """VideoGen rejected the request.

    Sending it again unchanged fails too, until the cause is gone (for RateLimited, until the limit resets).
    """


class InvalidRequest(Rejected):
    """The body, a parameter or an id is invalid."""


class Conflict(InvalidRequest):
    """The object's state does not allow this. Read it again before deciding."""


class Unauthorized(Rejected):
    """The API key is missing, wrong or revoked: all other calls will fail as well."""


class Forbidden(Rejected):
    """The account or its plan does not allow this. `requirement` may say what is missing."""


class NotFound(Rejected):
    """Does not exist, or belongs to another team."""


class RateLimited(Rejected):
    """The hourly limit is used up, or the account has no credits (`out_of_credits`).

    `retry_after`: seconds to wait, None if the response does not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after

    @property
    def out_of_credits(self) -> bool:
        """The account has no credits left, so waiting does not help (docs/api-notes.md#errors)."""
        return self.code == OUT_OF_CREDITS


class ServerError(VideoGenError):
    """VideoGen failed. After a start, the job may be running nevertheless."""


class Unreachable(VideoGenError):
    """The request cannot have been accepted, not even in part."""


class ResponseLost(VideoGenError):
    """The request may have been sent, but no complete response arrived."""


class MalformedResponse(ResponseLost):
    """A success that cannot be parsed: too long, not JSON, or without a required field."""


class MalformedEvent(Exception):
    """The body of a delivery is not an event. `str()` says why."""
