"""What can go wrong between us and VideoGen, as one tree.

    VideoGenError
    ├── Refused                 the service answered no; nothing was started
    │   ├── InvalidRequest      400, 422, every 4xx without a name of its own
    │   │   └── Conflict        409
    │   ├── Unauthorized        401
    │   ├── Forbidden           403
    │   ├── NotFound            404
    │   └── RateLimited         429; `retry_after`, `out_of_credits`
    ├── ServerError             5xx; whether the request had an effect is unknown
    ├── Unreachable             certainly not accepted: name, route, TLS, connect timeout, no free connection
    └── AnswerLost              the request may have been accepted, the answer never came whole
        └── MalformedAnswer     a 2xx came, and it cannot be understood

    MalformedEvent              a webhook body that is not an event (it is no answer, so it stands apart)
    BadSignature                a delivery that VideoGen did not sign, see signature.py

A start may be sent again after Refused and Unreachable only (docs/api-notes.md#starting).
"""

from __future__ import annotations

from typing import Any

OUT_OF_CREDITS = "insufficient_credits"


class VideoGenError(Exception):
    """`str()` of every error is a sentence for a person; the other attributes are for code, logs and support mails."""

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
        details = ("status", "code", "internal_error_code", "request_id")
        known = "".join(
            f", {name}={value!r}" for name in details if (value := getattr(self, name)) is not None
        )
        return f"{type(self).__name__}({self.message!r}{known})"


class Refused(VideoGenError):
    """The service answered no. The same request will be refused again, unless something else changes first."""


class InvalidRequest(Refused):
    """The body, a parameter or an id is not acceptable."""


class Conflict(InvalidRequest):
    """The thing is not in a state that allows this: read it again, then decide."""


class Unauthorized(Refused):
    """The key is missing, wrong or revoked: every other call will fail as well."""


class Forbidden(Refused):
    """Not with this account or plan; `requirement` may say what would help."""


class NotFound(Refused):
    """Absent, or another team's."""


class RateLimited(Refused):
    """The hour's calls are used up. `retry_after`: seconds to wait, None where the answer does not say."""

    def __init__(self, message: str, *, retry_after: float | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.retry_after = retry_after

    @property
    def out_of_credits(self) -> bool:
        """Waiting does not help: the account has nothing left to spend (docs/api-notes.md#errors)."""
        return self.code == OUT_OF_CREDITS


class ServerError(VideoGenError):
    """The service failed. A start that ends so may be running all the same."""


class Unreachable(VideoGenError):
    """No byte of the request can have been accepted."""


class AnswerLost(VideoGenError):
    """Bytes of the request may have left, and no whole answer came back."""


class MalformedAnswer(AnswerLost):
    """The service said yes, in words that cannot be understood: too long, no JSON, or without what must be there."""


class MalformedEvent(Exception):
    """A delivery's body is not an event; `str()` says why."""
