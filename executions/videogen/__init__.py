"""The VideoGen API: a client, the objects in responses and events, and the verification of webhook deliveries.

Depends neither on Django nor on our models or settings. The API is described in docs/api-notes.md.
"""

from executions.videogen.account import Account, Presenter, Voice, WebhookEndpoint, WebhookEndpointCreated
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
from executions.videogen.paging import Page
from executions.videogen.rate_limits import Group, RateLimit
from executions.videogen.signature import BadSignature, Reason, VerifiedDelivery, verify
from executions.videogen.transport import Timeouts
from executions.videogen.webhook_events import Event, parse_event
from executions.videogen.wire import (
    ApiError,
    File,
    FileSource,
    FileUpload,
    SearchHit,
    ToolAccepted,
    ToolExecution,
    ToolResult,
)

__all__ = [
    "BASE_URL",
    "Account",
    "ApiError",
    "BadSignature",
    "Conflict",
    "Event",
    "File",
    "FileSource",
    "FileUpload",
    "Forbidden",
    "Group",
    "InvalidRequest",
    "MalformedEvent",
    "MalformedResponse",
    "NotFound",
    "Page",
    "Presenter",
    "RateLimit",
    "RateLimited",
    "Reason",
    "Rejected",
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
    "WebhookEndpoint",
    "WebhookEndpointCreated",
    "parse_event",
    "verify",
]
