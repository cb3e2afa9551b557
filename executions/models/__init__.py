"""The database models: jobs, files and results, events, webhook deliveries, the queue, people and statistics.

Some classes have an older name than their module, because tables and migrations keep theirs.
"""

from executions.models.audit_chain import Summary, Verification
from executions.models.batch import Batch, BatchCancel, BatchPlan
from executions.models.comment import Comment, Mention
from executions.models.copy_request import Keeping
from executions.models.daily_reconciliation import DayClosing
from executions.models.event import Event
from executions.models.execution import Execution
from executions.models.external_job import Stranger
from executions.models.file import File, Input, Result
from executions.models.file_import import AccountWalk
from executions.models.last_visit import LastLook
from executions.models.queue import CallBudget, Queue, RateWindow
from executions.models.rollup import Rollup, RollupState
from executions.models.saved_filter import SavedFilter
from executions.models.selection import Selection
from executions.models.team import Invitation, Presence, Setting
from executions.models.webhook_delivery import WebhookDelivery
from executions.models.webhook_endpoint import WebhookEndpoint
from executions.models.webhook_rejection import Rejection

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
