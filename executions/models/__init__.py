"""What is kept: jobs, their results and files, the events that tell their story, deliveries, the queue, people's ways in."""

from executions.models.batch import Batch, BatchCancel, BatchPlan
from executions.models.closing import DayClosing
from executions.models.comment import Comment, Mention
from executions.models.delivery import WebhookDelivery
from executions.models.endpoint import WebhookEndpoint
from executions.models.event import Event
from executions.models.execution import Execution
from executions.models.file import File, Input, Result
from executions.models.keeping import Keeping
from executions.models.ledger import Summary, Verification
from executions.models.looked import LastLook
from executions.models.person import Invitation, Presence, Setting
from executions.models.queue import CallBudget, Queue, RateWindow
from executions.models.rejection import Rejection
from executions.models.rollup import Rollup, RollupState
from executions.models.saved_filter import SavedFilter
from executions.models.selection import Selection
from executions.models.stranger import Stranger
from executions.models.walk import AccountWalk

__all__ = [
    "AccountWalk",
    "Batch",
    "BatchCancel",
    "BatchPlan",
    "CallBudget",
    "Comment",
    "DayClosing",
    "Event",
    "Execution",
    "File",
    "Input",
    "Invitation",
    "Keeping",
    "LastLook",
    "Mention",
    "Presence",
    "Queue",
    "RateWindow",
    "Rejection",
    "Result",
    "Rollup",
    "RollupState",
    "SavedFilter",
    "Selection",
    "Setting",
    "Stranger",
    "Summary",
    "Verification",
    "WebhookDelivery",
    "WebhookEndpoint",
]
