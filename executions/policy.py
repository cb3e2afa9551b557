"""Permissions: one table of who may do what, which every operation of the domain checks.

An operation calls `require(actor, Action.X, thing)` before it changes anything, so no command, page or API can bypass it.
Pages call `can` to decide what they offer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet

from executions.models import (
    Batch,
    BatchCancel,
    BatchPlan,
    Comment,
    Execution,
    File,
    Mention,
    SavedFilter,
    Selection,
    Setting,
)
from executions.models.team import TEAM_CANCELS


class NotAllowed(Exception):
    """The actor may not do this. The dashboard answers 403."""

    def __init__(self, action: Action) -> None:
        super().__init__(f"You are not allowed to {action.label}.")
        self.action = action


class System(Enum):
    """Rushes itself: the reconciler, the webhook receiver, and commands that an operator runs."""

    SYSTEM = "system"


SYSTEM: Final = System.SYSTEM

# A Django user, the id of one (read from the database at each check), or Rushes itself. None may do nothing.
type Actor = Any


class Role(StrEnum):
    MEMBER = "member"
    ADMIN = "admin"
    SYSTEM = "system"


class Scope(StrEnum):
    """The things that a role may act on."""

    NONE = "none"
    OWN = "the actor's own"
    # The actor's own, and everyone's while admins let members cancel each other's jobs.
    TEAM_SETTING = "as admins have chosen"
    ANY = "any"


class Action(StrEnum):
    """Everything that permission is needed for. `label` completes the sentence "You are not allowed to ..."."""

    label: str

    def __new__(cls, value: str, label: str) -> Action:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    JOB_START = "job.start", "start jobs"
    JOB_RESTART = "job.restart", "run this job again"
    JOB_RESTART_UNCONFIRMED = "job.restart_unconfirmed", "run this unconfirmed job again"
    JOB_CANCEL = "job.cancel", "cancel this job"
    JOB_PAUSE = "job.pause", "pause this job"
    JOB_RESUME = "job.resume", "resume this job"
    JOB_PRIORITISE = "job.prioritise", "move this job to the front"
    JOB_EDIT = "job.edit", "edit this job"
    JOB_LINK = "job.link", "link this job"
    JOB_ARCHIVE_RESULTS = "job.archive_results", "archive the results of this job"
    JOB_EXPORT_EVIDENCE = "job.export_evidence", "export the evidence of this job"
    COMMENT_WRITE = "comment.write", "comment on jobs"
    COMMENT_WITHDRAW = "comment.withdraw", "withdraw this comment"
    VISIT_MARK = "visit.mark", "mark notifications as read"
    QUEUE_PAUSE = "queue.pause", "pause the queue"
    QUEUE_RESUME = "queue.resume", "resume the queue"
    BATCH_PLAN = "batch.plan", "plan batches"
    BATCH_START = "batch.start", "start this batch"
    BATCH_DISCARD = "batch.discard", "discard this plan"
    BATCH_UNDO = "batch.undo", "undo this batch"
    BATCH_CANCEL = "batch.cancel", "cancel this batch"
    BATCH_PAUSE = "batch.pause", "pause this batch"
    BATCH_RESUME = "batch.resume", "resume this batch"
    SELECTION_MAKE = "selection.make", "select jobs"
    SELECTION_RUN = "selection.run", "apply this bulk action"
    FILTER_SAVE = "filter.save", "save views"
    FILTER_DELETE = "filter.delete", "remove this view"
    FILE_UPLOAD = "file.upload", "upload files"
    FILE_ARCHIVE = "file.archive", "archive this file"
    FILE_RESTORE = "file.restore", "restore this file"
    FILE_PUBLISH = "file.publish", "make this file public"
    FILE_WITHDRAW = "file.withdraw", "withdraw this file's public preview"
    FILE_DOWNLOAD = "file.download", "download this file or share its link"
    FILE_COPY = "file.copy", "copy this file"
    FILES_IMPORT = "files.import", "import the account's files"
    COPIES_RETRY = "copies.retry", "retry failed copies"
    SETTING_CHANGE = "setting.change", "change settings"
    PERSON_INVITE = "person.invite", "invite people"
    INVITATION_WITHDRAW = "invitation.withdraw", "withdraw invitations"
    PERSON_CHANGE_ROLE = "person.change_role", "change roles"
    PERSON_DEACTIVATE = "person.deactivate", "deactivate people"
    PERSON_REACTIVATE = "person.reactivate", "reactivate people"
    ENDPOINT_REGISTER = "endpoint.register", "register webhook endpoints"
    ENDPOINT_REMOVE = "endpoint.remove", "delete webhook endpoints"
    ENDPOINT_ROTATE = "endpoint.rotate", "rotate webhook secrets"
    DELIVERY_REPLAY = "delivery.replay", "replay webhook deliveries"
    DAY_RECONCILE = "day.reconcile", "reconcile a day"
    HISTORY_EXPORT = "history.export", "export the history"
    AUDIT_VIEW = "audit.view", "open the audit log"
    INSIGHTS_VIEW = "insights.view", "open the insights"
    METRICS_VIEW = "metrics.view", "read the metrics"
    PEOPLE_VIEW = "people.view", "open the list of people"
    WEBHOOKS_VIEW = "webhooks.view", "open the webhook pages"
    TABLES_VIEW = "tables.view", "open the admin site"


@dataclass(frozen=True)
class Rule:
    """The scope of an action for each role."""

    member: Scope
    admin: Scope
    system: Scope = Scope.NONE

    def scope(self, role: Role) -> Scope:
        return {Role.MEMBER: self.member, Role.ADMIN: self.admin, Role.SYSTEM: self.system}[role]


NONE, OWN, TEAM_SETTING, ANY = Scope.NONE, Scope.OWN, Scope.TEAM_SETTING, Scope.ANY

RULES: dict[Action, Rule] = {
    # action: member, admin, Rushes itself (default NONE)
    Action.JOB_START: Rule(ANY, ANY, ANY),
    Action.JOB_RESTART: Rule(ANY, ANY),
    Action.JOB_RESTART_UNCONFIRMED: Rule(OWN, ANY),
    Action.JOB_CANCEL: Rule(TEAM_SETTING, ANY),
    Action.JOB_PAUSE: Rule(OWN, ANY),
    Action.JOB_RESUME: Rule(OWN, ANY),
    Action.JOB_PRIORITISE: Rule(OWN, ANY),
    Action.JOB_EDIT: Rule(OWN, ANY),
    Action.JOB_LINK: Rule(OWN, ANY, ANY),
    Action.JOB_ARCHIVE_RESULTS: Rule(OWN, ANY),
    Action.JOB_EXPORT_EVIDENCE: Rule(OWN, ANY),
    Action.COMMENT_WRITE: Rule(ANY, ANY),
    Action.COMMENT_WITHDRAW: Rule(OWN, OWN),
    Action.VISIT_MARK: Rule(ANY, ANY),
    Action.QUEUE_PAUSE: Rule(NONE, ANY, ANY),
    Action.QUEUE_RESUME: Rule(NONE, ANY, ANY),
    Action.BATCH_PLAN: Rule(ANY, ANY),
    Action.BATCH_START: Rule(OWN, OWN),
    Action.BATCH_DISCARD: Rule(OWN, OWN),
    Action.BATCH_UNDO: Rule(TEAM_SETTING, ANY),
    Action.BATCH_CANCEL: Rule(TEAM_SETTING, ANY),
    Action.BATCH_PAUSE: Rule(OWN, ANY),
    Action.BATCH_RESUME: Rule(OWN, ANY),
    Action.SELECTION_MAKE: Rule(ANY, ANY),
    Action.SELECTION_RUN: Rule(OWN, OWN),
    Action.FILTER_SAVE: Rule(ANY, ANY),
    Action.FILTER_DELETE: Rule(OWN, ANY),
    Action.FILE_UPLOAD: Rule(ANY, ANY),
    Action.FILE_ARCHIVE: Rule(OWN, ANY),
    Action.FILE_RESTORE: Rule(OWN, ANY),
    Action.FILE_PUBLISH: Rule(OWN, ANY),
    Action.FILE_WITHDRAW: Rule(OWN, ANY, ANY),
    Action.FILE_DOWNLOAD: Rule(ANY, ANY),
    Action.FILE_COPY: Rule(ANY, ANY, ANY),
    Action.FILES_IMPORT: Rule(ANY, ANY, ANY),
    Action.COPIES_RETRY: Rule(NONE, ANY, ANY),
    Action.SETTING_CHANGE: Rule(NONE, ANY),
    Action.PERSON_INVITE: Rule(NONE, ANY),
    Action.INVITATION_WITHDRAW: Rule(NONE, ANY),
    Action.PERSON_CHANGE_ROLE: Rule(NONE, ANY),
    Action.PERSON_DEACTIVATE: Rule(NONE, ANY),
    Action.PERSON_REACTIVATE: Rule(NONE, ANY),
    Action.ENDPOINT_REGISTER: Rule(NONE, ANY, ANY),
    Action.ENDPOINT_REMOVE: Rule(NONE, ANY, ANY),
    Action.ENDPOINT_ROTATE: Rule(NONE, ANY, ANY),
    Action.DELIVERY_REPLAY: Rule(NONE, ANY, ANY),
    Action.DAY_RECONCILE: Rule(NONE, ANY, ANY),
    Action.HISTORY_EXPORT: Rule(ANY, ANY),
    Action.AUDIT_VIEW: Rule(NONE, ANY),
    Action.INSIGHTS_VIEW: Rule(NONE, ANY),
    Action.METRICS_VIEW: Rule(NONE, ANY),
    Action.PEOPLE_VIEW: Rule(NONE, ANY),
    Action.WEBHOOKS_VIEW: Rule(NONE, ANY),
    Action.TABLES_VIEW: Rule(NONE, ANY),
}


def role_of(actor: Actor) -> Role | None:
    """None for a person who is not signed in or is deactivated. They may do nothing."""
    if actor is SYSTEM:
        return Role.SYSTEM
    person = _person(actor)
    if person is None or not person.is_authenticated or not person.is_active:
        return None
    return Role.ADMIN if person.is_staff else Role.MEMBER


def can(actor: Actor, action: Action, thing: Model | None = None) -> bool:
    """Whether `actor` may perform the action now. `thing` is its object, for actions that depend on one."""
    role = role_of(actor)
    return role is not None and allows(role, action, is_own=owns(actor, thing))


def require(actor: Actor, action: Action, thing: Model | None = None) -> int | None:
    """Check permission and return the actor's id for the audit log (None: Rushes itself). Raises NotAllowed."""
    if not can(actor, action, thing):
        raise NotAllowed(action)
    return id_of(actor)


def require_person(actor: Actor, action: Action, thing: Model | None = None) -> int:
    """Like `require`, for actions that only a person may perform. Raises NotAllowed for Rushes itself too."""
    person_id = require(actor, action, thing)
    if person_id is None:
        raise NotAllowed(action)
    return person_id


def team_cancels() -> bool:
    """Whether the team setting lets members cancel each other's jobs. Reads the database."""
    return bool(Setting.objects.filter(name=TEAM_CANCELS).values_list("value", flat=True).first())


def allows(
    role: Role, action: Action, *, is_own: bool, team_cancels: Callable[[], bool] = team_cancels
) -> bool:
    """Look up the table. `team_cancels` is called only where the team setting decides."""
    match RULES[action].scope(role):
        case Scope.ANY:
            return True
        case Scope.OWN:
            return is_own
        case Scope.TEAM_SETTING:
            return is_own or team_cancels()
    return False


def owns(actor: Actor, thing: Model | None) -> bool:
    """Whether the actor created, started or wrote the thing."""
    owner = getattr(thing, "author_id" if isinstance(thing, Comment) else "created_by_id", None)
    return owner is not None and owner == id_of(actor)


def id_of(actor: Actor) -> int | None:
    """The id to store in an event; None for Rushes itself."""
    if actor is SYSTEM or actor is None:
        return None
    actor_id: int | None = actor if isinstance(actor, int) else actor.pk
    return actor_id


def _person(actor: Actor) -> Any:
    if isinstance(actor, int):
        return get_user_model().objects.filter(pk=actor).first()
    return actor


# The rows that a person may see: all, or only their own.
VISIBILITY: dict[type[Model], Scope] = {
    Execution: ANY,
    File: ANY,
    Batch: ANY,
    Comment: ANY,
    SavedFilter: ANY,
    BatchCancel: ANY,
    BatchPlan: OWN,
    Selection: OWN,
    Mention: OWN,
}


def visible_to[M: Model](actor: Actor, rows: QuerySet[M]) -> QuerySet[M]:
    """Restrict the rows to those that the actor may see."""
    role = role_of(actor)
    if role is None:
        return rows.none()
    if role is Role.SYSTEM or VISIBILITY[rows.model] is ANY:
        return rows
    owner = "person" if rows.model is Mention else "created_by"
    return rows.filter(**{owner: id_of(actor)})
