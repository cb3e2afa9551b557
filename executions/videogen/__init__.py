"""The VideoGen API: a client, the objects in responses and events, and the verification of webhook deliveries.

Depends neither on Django nor on our models or settings. The API is described in docs/api-notes.md.
"""

from executions.videogen.account import Account, Presenter, RemoteEndpoint, Voice, WebhookEndpointCreated
from executions.videogen.client import BASE_URL, VideoGen
from executions.videogen.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    MalformedEvent,
    MalformedResponse,
    NotFound,
    RateLimited,
    Rejected,
    ResponseLost,
    ServerError,
    Unauthorized,
    Unreachable,
    VideoGenError,
)
from executions.videogen.paging import ApiPage
from executions.videogen.rate_limit_headers import Group, RateLimit
from executions.videogen.signature import BadSignature, Reason, VerifiedDelivery, verify
from executions.videogen.transport import Timeouts
from executions.videogen.webhook_events import WebhookEvent, parse_event
from executions.videogen.wire import (
    ApiError,
    FileSource,
    FileUpload,
    RemoteFile,
    SearchHit,
    ToolAccepted,
    ToolExecution,
    ToolResult,
)

__all__ = [
    "BASE_URL",
    "Account",
    "ApiError",
    "ApiPage",
    "BadSignature",
    "Conflict",
    "FileSource",
    "FileUpload",
    "Forbidden",
    "Group",
    "InvalidRequest",
    "MalformedEvent",
    "MalformedResponse",
    "NotFound",
    "Presenter",
    "RateLimit",
    "RateLimited",
    "Reason",
    "Rejected",
    "RemoteEndpoint",
    "RemoteFile",
    "ResponseLost",
    "SearchHit",
    "ServerError",
    "Timeouts",
    "ToolAccepted",
    "ToolExecution",
    "ToolResult",
    "Unauthorized",
    "Unreachable",
    "VerifiedDelivery",
    "VideoGen",
    "VideoGenError",
    "Voice",
    "WebhookEndpointCreated",
    "WebhookEvent",
    "parse_event",
    "verify",
]
