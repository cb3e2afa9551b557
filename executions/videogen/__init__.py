"""The VideoGen API: a client, what its answers and events are made of, and how a delivery is verified.

Nothing of Django, of our models or of our settings is known here. The contract is described in the project's API notes.
"""

from executions.videogen.account import Account, Presenter, Voice, WebhookEndpoint, WebhookEndpointCreated
from executions.videogen.client import BASE_URL, VideoGen
from executions.videogen.errors import (
    AnswerLost,
    Conflict,
    Forbidden,
    InvalidRequest,
    MalformedAnswer,
    MalformedEvent,
    NotFound,
    RateLimited,
    Refused,
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
    "AnswerLost",
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
    "MalformedAnswer",
    "MalformedEvent",
    "NotFound",
    "Page",
    "Presenter",
    "RateLimit",
    "RateLimited",
    "Reason",
    "Refused",
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
