"""The operations of the domain that take an actor, each with those who may do it; test_policy.py tries them all."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from executions import policy, tools
from executions.batches import bulk_actions
from executions.batches import service as batches
from executions.batches.rows import Row
from executions.copies import requests as copy_requests
from executions.exports import evidence, tables, zip_archive
from executions.files import actions as file_actions
from executions.files import uploads
from executions.lifecycle import cancel, chains, queue_actions, queue_state, voice_samples
from executions.lifecycle import create as submit
from executions.models import Execution, File, Invitation, WebhookDelivery, WebhookEndpoint
from executions.models.event import FileKind
from executions.models.selection import Act
from executions.policy import Action, Role
from executions.search.jobs import Filters
from executions.sync import daily_reconciliation, external_jobs, file_import
from executions.team import comments, last_visit, members, saved_filters
from executions.team import settings as team_settings
from executions.tools import already_validated
from executions.videogen import Voice
from executions.webhooks import deliveries, endpoints
from tests.factories import files, jobs, planning
from tests.factories.people import People

IMAGE = tools.TOOLS["generate-image"]
BODY = already_validated({"prompt": "a lighthouse", "numResults": 1})
# The role that the policy gives to each kind of actor.
ACTORS = {
    "owner": Role.MEMBER,
    "other": Role.MEMBER,
    "admin": Role.ADMIN,
    "system": Role.SYSTEM,
    "deactivated": None,
    "deactivated admin": None,
    "anonymous": None,
    "none": None,
}
EVERYONE, OWNERS, ADMINS = {"owner", "other", "admin"}, {"owner", "admin"}, {"admin"}
SYSTEM = {"system"}


class Permitted(Exception):
    """Raised where an operation would call VideoGen: the policy has let it through."""


class World:
    """Makes things for ann, the owner. The actor is of the kind `who`, a key of ACTORS."""

    def __init__(self, who: str, people: People) -> None:
        self.owner = people.ann
        self.actor: Any = {
            "owner": people.ann,
            "other": people.ben,
            "admin": people.ada,
            "system": policy.SYSTEM,
            "deactivated": people.ann,
            "deactivated admin": people.ada,
            "anonymous": AnonymousUser(),
            "none": None,
        }[who]
        self.is_deactivated = who.startswith("deactivated")

    def deactivate(self) -> None:
        """Deactivate the actor, after the owner made their things, if they are to be deactivated."""
        if self.is_deactivated:
            self.actor.is_active = False
            self.actor.save(update_fields=["is_active"])

    def job(self, status: str = "queued") -> Execution:
        return jobs.job(self.owner, status)

    def file(self) -> File:
        return files.ready_file(created_by=self.owner)

    def plan(self) -> Any:
        return planning.plan(self.owner, 1)

    def batch(self) -> Any:
        return planning.batch(self.owner, 1, held=True)

    def invitation(self) -> Invitation:
        now = timezone.now()
        return Invitation.objects.create(
            token_hash="0" * 64, created_at=now, expires_at=now + timedelta(days=1), created_by=None
        )

    def selection(self) -> Any:
        return bulk_actions.create_selection([self.job().pk], Act.CANCEL, actor=self.owner)


def run(call: Any) -> None:
    """Run a coroutine without an event loop, on the test's database connection: offline it never suspends."""
    with suppress(StopIteration):
        call.send(None)


def endpoint() -> endpoints.Endpoint:
    local = WebhookEndpoint(remote_id="vg_1", url="https://a.example/")
    return endpoints.Endpoint(remote=None, local=local)


def comment(w: World) -> Any:
    return comments.write(w.job(), actor=w.owner, text="fine").pk


def voice() -> Voice:
    return Voice(voice_id="v1", display_name="V", language_code="en")


def yesterday() -> Any:
    return (timezone.now() - timedelta(days=1)).date()


@dataclass(frozen=True)
class Operation:
    """A function of the domain that takes an actor: `call(arrange(world), actor)`.

    `action` is what the policy decides it as, `allowed` are the actors (keys of ACTORS) that may do it.
    """

    action: Action
    allowed: set[str]
    arrange: Callable[[World], Any]
    call: Callable[[Any, Any], Any]


def nothing(_: World) -> None:
    return None


OPERATIONS: dict[str, Operation] = {
    "start a job": Operation(
        Action.JOB_START,
        EVERYONE | SYSTEM,
        nothing,
        lambda _, a: submit.start(tool=IMAGE, body=BODY, actor=a),
    ),
    "start a chain": Operation(
        Action.JOB_START,
        EVERYONE | SYSTEM,
        nothing,
        lambda _, a: chains.start_with_speech(
            tool=tools.TOOLS["generate-avatar"], body=BODY, speech=chains.Speech("x"), actor=a, key=None
        ),
    ),
    "play a voice sample": Operation(
        Action.JOB_START, EVERYONE | SYSTEM, nothing, lambda _, a: voice_samples.start(voice(), a)
    ),
    "run a job again": Operation(
        Action.JOB_RESTART,
        EVERYONE,
        lambda w: w.job("failed"),
        lambda job, a: submit.start(tool=IMAGE, body=BODY, actor=a, rerun_of=job),
    ),
    "run an unconfirmed job again": Operation(
        Action.JOB_RESTART_UNCONFIRMED,
        OWNERS,
        lambda w: w.job("unconfirmed"),
        lambda job, a: submit.start(tool=IMAGE, body=BODY, actor=a, rerun_of=job),
    ),
    "cancel a job": Operation(
        Action.JOB_CANCEL, OWNERS, World.job, lambda job, a: cancel.request(job, actor=a)
    ),
    "pause a job": Operation(
        Action.JOB_PAUSE, OWNERS, World.job, lambda job, a: queue_actions.pause(job, actor=a)
    ),
    "resume a job": Operation(
        Action.JOB_RESUME, OWNERS, World.job, lambda job, a: queue_actions.resume(job, actor=a)
    ),
    "move a job to the front": Operation(
        Action.JOB_PRIORITISE, OWNERS, World.job, lambda job, a: queue_actions.move_to_front(job, actor=a)
    ),
    "edit a job": Operation(
        Action.JOB_EDIT,
        OWNERS,
        World.job,
        lambda job, a: queue_actions.edit(
            job, IMAGE, already_validated({**BODY, "prompt": "x"}), before=BODY, actor=a
        ),
    ),
    "link a job": Operation(
        Action.JOB_LINK,
        OWNERS | SYSTEM,
        lambda w: w.job("unconfirmed"),
        lambda job, a: external_jobs.link(job.pk, "vg_tool_1", actor=a),
    ),
    "export evidence": Operation(
        Action.JOB_EXPORT_EVIDENCE, OWNERS, World.job, lambda job, a: evidence.export(job.pk, a)
    ),
    "download the results of a batch": Operation(
        Action.FILE_DOWNLOAD, EVERYONE, World.batch, zip_archive.export_batch
    ),
    "download the results of selected jobs": Operation(
        Action.FILE_DOWNLOAD, EVERYONE, World.selection, zip_archive.export_selection
    ),
    "export the history": Operation(
        Action.HISTORY_EXPORT,
        EVERYONE,
        nothing,
        lambda _, a: tables.export_history(Filters(), query="", file_format="csv", actor=a),
    ),
    "export the audit log": Operation(
        Action.AUDIT_VIEW,
        ADMINS,
        nothing,
        lambda _, a: tables.record_audit_export(filters={}, file_format="csv", actor=a),
    ),
    "comment": Operation(
        Action.COMMENT_WRITE, EVERYONE, World.job, lambda job, a: comments.write(job, actor=a, text="fine")
    ),
    "withdraw a comment": Operation(
        Action.COMMENT_WITHDRAW, {"owner"}, comment, lambda pk, a: comments.withdraw(pk, actor=a)
    ),
    "read mentions": Operation(Action.VISIT_MARK, EVERYONE, nothing, lambda _, a: comments.mark_read(a)),
    "dismiss finished jobs": Operation(
        Action.VISIT_MARK, EVERYONE, nothing, lambda _, a: last_visit.mark_seen(a, timezone.now())
    ),
    "watch jobs finish": Operation(
        Action.VISIT_MARK, EVERYONE, nothing, lambda _, a: last_visit.mark_watched(a)
    ),
    "pause the queue": Operation(
        Action.QUEUE_PAUSE, ADMINS | SYSTEM, nothing, lambda _, a: queue_state.pause_all(actor=a)
    ),
    "resume the queue": Operation(
        Action.QUEUE_RESUME, ADMINS | SYSTEM, nothing, lambda _, a: queue_state.resume_all(actor=a)
    ),
    "plan a batch": Operation(
        Action.BATCH_PLAN,
        EVERYONE,
        nothing,
        lambda _, a: batches.plan(IMAGE, [Row(1, BODY)], name="One", actor=a),
    ),
    "plan to re-run jobs": Operation(
        Action.BATCH_PLAN,
        EVERYONE,
        World.job,
        lambda job, a: batches.plan_jobs(IMAGE, [job], name="One", actor=a),
    ),
    "start a batch": Operation(
        Action.BATCH_START, {"owner"}, World.plan, lambda plan, a: batches.confirm(plan.pk, actor=a)
    ),
    "discard a plan": Operation(
        Action.BATCH_DISCARD, {"owner"}, World.plan, lambda plan, a: batches.discard(plan, actor=a)
    ),
    "undo a batch": Operation(
        Action.BATCH_UNDO, OWNERS, World.batch, lambda batch, a: batches.undo(batch, actor=a)
    ),
    "plan the cancellation of a batch": Operation(
        Action.BATCH_CANCEL, OWNERS, World.batch, lambda batch, a: batches.plan_cancel(batch, actor=a)
    ),
    "cancel a batch": Operation(
        Action.BATCH_CANCEL,
        OWNERS,
        lambda w: batches.plan_cancel(w.batch(), actor=w.owner),
        lambda request, a: batches.cancel(request, actor=a),
    ),
    "pause a batch": Operation(
        Action.BATCH_PAUSE, OWNERS, World.batch, lambda batch, a: queue_actions.pause_batch(batch, actor=a)
    ),
    "resume a batch": Operation(
        Action.BATCH_RESUME, OWNERS, World.batch, lambda batch, a: queue_actions.resume_batch(batch, actor=a)
    ),
    "select jobs": Operation(
        Action.SELECTION_MAKE,
        EVERYONE,
        World.job,
        lambda job, a: bulk_actions.create_selection([job.pk], Act.CANCEL, actor=a),
    ),
    "run a selection": Operation(
        Action.SELECTION_RUN,
        {"owner"},
        World.selection,
        lambda selection, a: bulk_actions.run(selection, actor=a),
    ),
    "save a view": Operation(
        Action.FILTER_SAVE, EVERYONE, nothing, lambda _, a: saved_filters.save("Mine", "", actor=a)
    ),
    "remove a view": Operation(
        Action.FILTER_DELETE,
        OWNERS,
        lambda w: saved_filters.save("Mine", "", actor=w.owner),
        lambda row, a: saved_filters.remove(row, actor=a),
    ),
    "upload a file": Operation(
        Action.FILE_UPLOAD,
        EVERYONE,
        nothing,
        lambda _, a: asyncio.run(
            uploads.upload(io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(64)), 72, "a.png", a)
        ),
    ),
    "archive a file": Operation(Action.FILE_ARCHIVE, OWNERS, World.file, file_actions.archive),
    "archive results": Operation(
        Action.JOB_ARCHIVE_RESULTS,
        OWNERS,
        lambda w: (files.ready_file(), w.job()),
        lambda pair, a: file_actions.archive(pair[0], a, result_of=pair[1]),
    ),
    "archive a file without an owner": Operation(
        Action.FILE_ARCHIVE, ADMINS, lambda _: files.ready_file(), file_actions.archive
    ),
    "restore a file": Operation(Action.FILE_RESTORE, OWNERS, World.file, file_actions.restore),
    "publish a file": Operation(
        Action.FILE_PUBLISH, OWNERS, World.file, lambda file, a: run(file_actions.publish(file, None, a))
    ),
    "withdraw a public file": Operation(
        Action.FILE_WITHDRAW, OWNERS | SYSTEM, World.file, lambda file, a: run(file_actions.withdraw(file, a))
    ),
    "record a download": Operation(
        Action.FILE_DOWNLOAD,
        EVERYONE,
        World.file,
        lambda file, a: file_actions.record_access(file, FileKind.DOWNLOADED, a),
    ),
    "copy a file": Operation(Action.FILE_COPY, EVERYONE | SYSTEM, World.file, copy_requests.request_copy),
    "copy files": Operation(
        Action.FILE_COPY,
        EVERYONE | SYSTEM,
        World.file,
        lambda file, a: copy_requests.request_copies([file], a),
    ),
    "retry copies": Operation(
        Action.COPIES_RETRY, ADMINS | SYSTEM, nothing, lambda _, a: copy_requests.retry_failed(a)
    ),
    "import files": Operation(
        Action.FILES_IMPORT, EVERYONE | SYSTEM, nothing, lambda _, a: file_import.request_sync(a)
    ),
    "change a setting": Operation(
        Action.SETTING_CHANGE,
        ADMINS,
        nothing,
        lambda _, a: team_settings.change(team_settings.COPY_ALL, True, actor=a),
    ),
    "invite": Operation(
        Action.PERSON_INVITE, ADMINS, nothing, lambda _, a: members.invite("Kim", members.MEMBER, 7, actor=a)
    ),
    "withdraw an invitation": Operation(
        Action.INVITATION_WITHDRAW,
        ADMINS,
        World.invitation,
        lambda invitation, a: members.withdraw(invitation.pk, actor=a),
    ),
    "change a role": Operation(
        Action.PERSON_CHANGE_ROLE,
        ADMINS,
        lambda w: w.owner.pk,
        lambda pk, a: members.change_role(pk, members.ADMIN, actor=a),
    ),
    "deactivate": Operation(
        Action.PERSON_DEACTIVATE, ADMINS, lambda w: w.owner.pk, lambda pk, a: members.deactivate(pk, actor=a)
    ),
    "reactivate": Operation(
        Action.PERSON_REACTIVATE, ADMINS, lambda w: w.owner.pk, lambda pk, a: members.reactivate(pk, actor=a)
    ),
    "register an endpoint": Operation(
        Action.ENDPOINT_REGISTER,
        ADMINS | SYSTEM,
        nothing,
        lambda _, a: run(endpoints.register("https://a.example/", actor=a)),
    ),
    "remove an endpoint": Operation(
        Action.ENDPOINT_REMOVE, ADMINS | SYSTEM, nothing, lambda _, a: run(endpoints.remove("vg_1", actor=a))
    ),
    "rotate a secret": Operation(
        Action.ENDPOINT_ROTATE,
        ADMINS | SYSTEM,
        nothing,
        lambda _, a: run(endpoints.rotate(endpoint(), actor=a)),
    ),
    "replay a delivery": Operation(
        Action.DELIVERY_REPLAY,
        ADMINS | SYSTEM,
        nothing,
        lambda _, a: deliveries.replay([WebhookDelivery()], actor=a),
    ),
    "reconcile a day": Operation(
        Action.DAY_RECONCILE,
        ADMINS | SYSTEM,
        nothing,
        lambda _, a: run(daily_reconciliation.reconcile_day(yesterday(), actor=a)),
    ),
}
