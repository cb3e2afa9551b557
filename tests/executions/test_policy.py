"""Who may do what, by doing it: every act of the domain, called by every kind of actor, without HTTP."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from executions import policy, tools
from executions.batches import bulk_actions
from executions.batches import service as batches
from executions.batches.rows import Row
from executions.copies import requests as copy_requests
from executions.core import runtime
from executions.exports import evidence
from executions.files import actions as file_actions
from executions.files import uploads
from executions.lifecycle import cancel, chains, observations, queue_actions, queue_state, voice_samples
from executions.lifecycle import create as submit
from executions.lifecycle import machine as lifecycle
from executions.models import Event, Execution, File, Invitation
from executions.models.event import FileKind, Kind
from executions.models.selection import Act
from executions.policy import RULES, Action, NotAllowed
from executions.sync import daily_reconciliation, external_jobs, file_import
from executions.team import comments, last_visit, members, saved_filters
from executions.team import settings as team_settings
from executions.tools import accepted_before
from executions.videogen import Voice
from executions.webhooks import deliveries, endpoints

IMAGE = tools.TOOLS["generate-image"]
BODY = accepted_before({"prompt": "a lighthouse", "numResults": 1})
ACTORS = ("owner", "other", "admin", "system", "deactivated", "deactivated admin", "anonymous", "nobody")
EVERYONE, OWNERS, ADMINS = {"owner", "other", "admin"}, {"owner", "admin"}, {"admin"}
SYSTEM = {"system"}


class PastThePolicy(Exception):
    """The act went on to call VideoGen: nothing of the policy stood in its way."""


class World:
    """One of each thing, made by `owner`, who is deactivated where that is who acts."""

    def __init__(self, who: str, create: Callable[..., Any]) -> None:
        self.owner = create(username="ann")
        self.actor: Any = {
            "owner": lambda: self.owner,
            "other": lambda: create(username="ben"),
            "admin": lambda: create(username="ada", is_staff=True),
            "system": lambda: policy.SYSTEM,
            "deactivated": lambda: self.owner,
            "deactivated admin": lambda: create(username="eve", is_staff=True, is_active=False),
            "anonymous": AnonymousUser,
            "nobody": lambda: None,
        }[who]()
        self.is_deactivated = who == "deactivated"

    def leave(self) -> None:
        """The owner made things while they could."""
        if self.is_deactivated:
            self.owner.is_active = False
            self.owner.save(update_fields=["is_active"])

    def job(self, status: str = "queued") -> Execution:
        job, _ = submit.start(tool=IMAGE, body=BODY, actor=self.owner)
        if status == "unconfirmed":
            lifecycle.apply(job.pk, observations.SubmissionStarted())
            lifecycle.apply(job.pk, observations.ResponseLost(reason="cut"))
        if status == "failed":
            lifecycle.apply(job.pk, observations.Rejected(error={"message": "no"}))
        return Execution.objects.get(pk=job.pk)

    def file(self, **columns: Any) -> File:
        told = {"remote_id": "vg_file_1", "type": "IMAGE", "display_name": "harbour", "state": "ready"}
        return File.objects.create(**{**told, "created_by": self.owner, **columns})

    def plan(self) -> Any:
        return batches.plan(IMAGE, [Row(1, BODY)], name="One", actor=self.owner)

    def batch(self) -> Any:
        return batches.confirm(self.plan().pk, actor=self.owner)[0]

    def invitation(self) -> Invitation:
        now = timezone.now()
        return Invitation.objects.create(
            token_hash="0" * 64, created_at=now, expires_at=now + timedelta(days=1), created_by=None
        )

    def selection(self) -> Any:
        return bulk_actions.choose([self.job().pk], Act.CANCEL, actor=self.owner)


def run(call: Any) -> None:
    """Without an event loop: offline there is nothing to wait for, and the test's own connection is used."""
    with suppress(StopIteration):
        call.send(None)


def endpoint() -> endpoints.Endpoint:
    return endpoints.Endpoint(there=None, ours=None)


def comment(w: World) -> Any:
    return comments.write(w.job(), actor=w.owner, text="fine").pk


def voice() -> Voice:
    return Voice(voice_id="v1", display_name="V", language_code="en")


def yesterday() -> Any:
    return (timezone.now() - timedelta(days=1)).date()


# What is done: (who may, how the thing is made before, the act itself on that thing by the actor).
type Act_ = tuple[set[str], Callable[[World], Any], Callable[[Any, Any], Any]]


def nothing(_: World) -> None:
    return None


ACTS: dict[str, Act_] = {
    "start a job": (
        EVERYONE | SYSTEM,
        nothing,
        lambda _, a: submit.start(tool=IMAGE, body=BODY, actor=a),
    ),
    "start a chain": (
        EVERYONE | SYSTEM,
        nothing,
        lambda _, a: chains.start_spoken(
            tool=tools.TOOLS["generate-avatar"], body=BODY, speech=chains.Speech("x"), actor=a, key=None
        ),
    ),
    "hear a voice": (EVERYONE | SYSTEM, nothing, lambda _, a: voice_samples.start(voice(), a)),
    "run a job again": (
        EVERYONE,
        lambda w: w.job("failed"),
        lambda job, a: submit.start(tool=IMAGE, body=BODY, actor=a, again=job),
    ),
    "run an unconfirmed job again": (
        OWNERS,
        lambda w: w.job("unconfirmed"),
        lambda job, a: submit.start(tool=IMAGE, body=BODY, actor=a, again=job),
    ),
    "cancel a job": (OWNERS, World.job, lambda job, a: cancel.request(job, actor=a)),
    "pause a job": (OWNERS, World.job, lambda job, a: queue_actions.pause(job, actor=a)),
    "resume a job": (OWNERS, World.job, lambda job, a: queue_actions.resume(job, actor=a)),
    "move a job to the front": (OWNERS, World.job, lambda job, a: queue_actions.to_the_front(job, actor=a)),
    "edit a job": (
        OWNERS,
        World.job,
        lambda job, a: queue_actions.edit(
            job, IMAGE, accepted_before({**BODY, "prompt": "x"}), before=BODY, actor=a
        ),
    ),
    "link a job": (
        OWNERS | SYSTEM,
        lambda w: w.job("unconfirmed"),
        lambda job, a: external_jobs.link(job.pk, "vg_tool_1", actor=a),
    ),
    "take evidence": (OWNERS, World.job, lambda job, a: evidence.take(job.pk, a)),
    "comment": (EVERYONE, World.job, lambda job, a: comments.write(job, actor=a, text="fine")),
    "withdraw a comment": ({"owner"}, comment, lambda pk, a: comments.withdraw(pk, actor=a)),
    "see mentions": (EVERYONE, nothing, lambda _, a: comments.see(a)),
    "see what ended": (EVERYONE, nothing, lambda _, a: last_visit.seen(a, timezone.now())),
    "watch what ended": (EVERYONE, nothing, lambda _, a: last_visit.watched(a)),
    "pause the queue": (ADMINS | SYSTEM, nothing, lambda _, a: queue_state.pause_all(actor=a)),
    "resume the queue": (ADMINS | SYSTEM, nothing, lambda _, a: queue_state.resume_all(actor=a)),
    "plan a batch": (
        EVERYONE,
        nothing,
        lambda _, a: batches.plan(IMAGE, [Row(1, BODY)], name="One", actor=a),
    ),
    "plan jobs again": (
        EVERYONE,
        World.job,
        lambda job, a: batches.plan_jobs(IMAGE, [job], name="One", actor=a),
    ),
    "start a batch": ({"owner"}, World.plan, lambda plan, a: batches.confirm(plan.pk, actor=a)),
    "discard a plan": ({"owner"}, World.plan, lambda plan, a: batches.discard(plan, actor=a)),
    "undo a batch": (OWNERS, World.batch, lambda batch, a: batches.undo(batch, actor=a)),
    "ask to cancel a batch": (OWNERS, World.batch, lambda batch, a: batches.plan_cancel(batch, actor=a)),
    "cancel a batch": (
        OWNERS,
        lambda w: batches.plan_cancel(w.batch(), actor=w.owner),
        lambda wish, a: batches.cancel(wish, actor=a),
    ),
    "pause a batch": (OWNERS, World.batch, lambda batch, a: queue_actions.pause_batch(batch, actor=a)),
    "resume a batch": (OWNERS, World.batch, lambda batch, a: queue_actions.resume_batch(batch, actor=a)),
    "select jobs": (EVERYONE, World.job, lambda job, a: bulk_actions.choose([job.pk], Act.CANCEL, actor=a)),
    "carry out a selection": (
        {"owner"},
        World.selection,
        lambda selection, a: bulk_actions.carry_out(selection, actor=a),
    ),
    "save a view": (EVERYONE, nothing, lambda _, a: saved_filters.save("Mine", "", actor=a)),
    "remove a view": (
        OWNERS,
        lambda w: saved_filters.save("Mine", "", actor=w.owner),
        lambda row, a: saved_filters.remove(row, actor=a),
    ),
    "upload a file": (
        EVERYONE,
        nothing,
        lambda _, a: asyncio.run(
            uploads.take_in(io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(64)), 72, "a.png", a)
        ),
    ),
    "archive a file": (OWNERS, World.file, file_actions.archive),
    "archive results": (
        OWNERS,
        lambda w: (w.file(created_by=None), w.job()),
        lambda pair, a: file_actions.archive(pair[0], a, result_of=pair[1]),
    ),
    "archive what is nobody's": (ADMINS, lambda w: w.file(created_by=None), file_actions.archive),
    "restore a file": (OWNERS, World.file, file_actions.restore),
    "publish a file": (OWNERS, World.file, lambda file, a: run(file_actions.publish(file, None, a))),
    "withdraw a file": (OWNERS | SYSTEM, World.file, lambda file, a: run(file_actions.withdraw(file, a))),
    "note a download": (
        EVERYONE,
        World.file,
        lambda file, a: file_actions.note(file, FileKind.DOWNLOADED, a),
    ),
    "copy a file": (EVERYONE | SYSTEM, World.file, copy_requests.ask),
    "copy files": (EVERYONE | SYSTEM, World.file, lambda file, a: copy_requests.ask_for([file], a)),
    "retry copies": (ADMINS | SYSTEM, nothing, lambda _, a: copy_requests.ask_again(a)),
    "import files": (EVERYONE | SYSTEM, nothing, lambda _, a: file_import.ask_soon(a)),
    "change a setting": (
        ADMINS,
        nothing,
        lambda _, a: team_settings.choose(team_settings.KEEP_ALL, True, actor=a),
    ),
    "invite": (ADMINS, nothing, lambda _, a: members.invite("Kim", members.MEMBER, 7, actor=a)),
    "withdraw an invitation": (
        ADMINS,
        World.invitation,
        lambda invitation, a: members.withdraw(invitation.pk, actor=a),
    ),
    "change a role": (
        ADMINS,
        lambda w: w.owner.pk,
        lambda pk, a: members.change_role(pk, members.ADMIN, actor=a),
    ),
    "deactivate": (ADMINS, lambda w: w.owner.pk, lambda pk, a: members.shut_out(pk, actor=a)),
    "reactivate": (ADMINS, lambda w: w.owner.pk, lambda pk, a: members.let_in(pk, actor=a)),
    "register an endpoint": (
        ADMINS | SYSTEM,
        nothing,
        lambda _, a: run(endpoints.register("https://a.example/", actor=a)),
    ),
    "remove an endpoint": (ADMINS | SYSTEM, nothing, lambda _, a: run(endpoints.remove("vg_1", actor=a))),
    "rotate a secret": (ADMINS | SYSTEM, nothing, lambda _, a: run(endpoints.rotate(endpoint(), actor=a))),
    "replay a delivery": (ADMINS | SYSTEM, nothing, lambda _, a: deliveries.replay(None, actor=a)),  # type: ignore[arg-type]
    "reconcile a day": (
        ADMINS | SYSTEM,
        nothing,
        lambda _, a: run(daily_reconciliation.close(yesterday(), actor=a)),
    ),
}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acts that call VideoGen end there; what they do with the database they do at once, in this thread."""

    async def at_once(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    def no_client() -> None:
        raise PastThePolicy

    def no_check(_: Any) -> None:
        raise PastThePolicy

    monkeypatch.setattr(runtime, "in_db", at_once)
    monkeypatch.setattr(runtime, "client", no_client)
    monkeypatch.setattr(deliveries, "check", no_check)
    monkeypatch.setattr(daily_reconciliation, "_claim", lambda day, again: no_client())


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize("act", ACTS)
def test_every_act_is_open_to_those_who_may_and_to_no_others(
    act: str, who: str, db: None, django_user_model: Any
) -> None:
    may, make, do = ACTS[act]
    world = World(who, django_user_model.objects.create)
    thing = make(world)
    world.leave()

    try:
        do(thing, world.actor)
        was_refused = False
    except NotAllowed:
        was_refused = True
    except PastThePolicy:
        was_refused = False

    assert was_refused is (who not in may)


def test_every_action_of_the_domain_is_done_here() -> None:
    """Those that only open a page are walked by tests/security/test_url_table.py."""
    pages = {action for action in Action if action.value.endswith((".view", ".export"))}
    assert len(RULES) - len(pages) <= len(ACTS)


@pytest.mark.parametrize(("choice", "refused"), [(False, True), (True, False)])
def test_members_cancel_each_others_jobs_where_admins_have_chosen_so(
    choice: bool, refused: bool, db: None, django_user_model: Any
) -> None:
    world = World("other", django_user_model.objects.create)
    admin = django_user_model.objects.create(username="ada", is_staff=True)
    job, batch = world.job(), world.batch()
    team_settings.choose(team_settings.TEAM_CANCELS, choice, actor=admin)

    for action, thing in ((Action.JOB_CANCEL, job), (Action.BATCH_CANCEL, batch), (Action.BATCH_UNDO, batch)):
        assert policy.can(world.actor, action, thing) is not refused
    assert not policy.can(world.actor, Action.JOB_PAUSE, job), "the choice is about cancelling alone"


def test_who_tried_to_cancel_in_vain_is_written_down(db: None, django_user_model: Any) -> None:
    world = World("other", django_user_model.objects.create)
    job = world.job()

    with pytest.raises(NotAllowed):
        cancel.request(job, actor=world.actor)

    assert list(
        Event.objects.filter(execution=job, kind=Kind.CANCEL_REFUSED).values_list("actor", flat=True)
    ) == [world.actor.pk]


def test_an_id_counts_as_the_person_is_now(db: None, django_user_model: Any) -> None:
    person = django_user_model.objects.create(username="ann")

    assert policy.can(person.pk, Action.JOB_START)
    django_user_model.objects.filter(pk=person.pk).update(is_active=False)
    assert not policy.can(person.pk, Action.JOB_START)
    assert not policy.can(person.pk + 1, Action.JOB_START)


@pytest.mark.parametrize(
    ("who", "plans"),
    [("owner", 1), ("other", 0), ("admin", 0), ("system", 1), ("deactivated", 0), ("anonymous", 0)],
)
def test_plans_are_visible_to_those_who_made_them(
    who: str, plans: int, db: None, django_user_model: Any
) -> None:
    world = World(who, django_user_model.objects.create)
    plan, job = world.plan(), world.job()
    world.leave()

    assert policy.visible_to(world.actor, type(plan).objects.all()).count() == plans
    is_known = who not in ("deactivated", "anonymous")
    assert policy.visible_to(world.actor, Execution.objects.filter(pk=job.pk)).exists() is is_known
