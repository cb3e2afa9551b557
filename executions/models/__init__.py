"""The database models: jobs, files and results, events, webhook deliveries, the queue, people and statistics.

Tables and columns keep the name with which they were created, because during a rollout the previous version uses them
too: hence `db_table` and `db_column` where a class or field was renamed.
"""

from executions.models.audit_chain import Summary, Verification
from executions.models.batch import Batch, BatchCancel, BatchPlan
from executions.models.comment import Comment, Mention
from executions.models.copy_request import CopyRequest
from executions.models.daily_reconciliation import DailyReconciliation
from executions.models.event import Event
from executions.models.execution import Execution
from executions.models.external_job import ExternalJob
from executions.models.file import File, Input, Result
from executions.models.file_import import FileImport
from executions.models.last_visit import LastVisit
from executions.models.queue import CallBudget, Queue, RateWindow
from executions.models.rollup import Rollup, RollupState
from executions.models.saved_filter import SavedFilter
from executions.models.selection import Selection
from executions.models.team import Invitation, Presence, Setting
from executions.models.webhook_delivery import WebhookDelivery
from executions.models.webhook_endpoint import WebhookEndpoint
from executions.models.webhook_rejection import Rejection

__all__ = [
    "Batch",
    "BatchCancel",
    "BatchPlan",
    "CallBudget",
    "Comment",
    "CopyRequest",
    "DailyReconciliation",
    "Event",
    "Execution",
    "ExternalJob",
    "File",
    "FileImport",
    "Input",
    "Invitation",
    "LastVisit",
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
    "Summary",
    "Verification",
    "WebhookDelivery",
    "WebhookEndpoint",
]
