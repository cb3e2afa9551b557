"""Permissions: every operation of the domain, called directly by every kind of actor.

Pages that only show something are requested by tests/security/test_url_table.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db.models import Model

from executions import policy
from executions.core import runtime
from executions.lifecycle import cancel
from executions.models import (
    Batch,
    BatchCancel,
    BatchPlan,
    Comment,
    Event,
    Execution,
    File,
    Mention,
    SavedFilter,
    Selection,
)
from executions.models.event import Kind
from executions.policy import Action, NotAllowed, Role
from executions.sync import daily_reconciliation
from executions.team import settings as team_settings
from executions.webhooks import deliveries
from tests.executions.operations import ACTORS, OPERATIONS, SYSTEM, Permitted, World
from tests.factories.people import People
from tests.security.urls import ROLES, TABLE, Line


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations stop where they would call VideoGen; their database work runs at once, in this thread."""

    async def at_once(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    def no_client() -> None:
        raise Permitted

    def no_check(_: Any) -> None:
        raise Permitted

    monkeypatch.setattr(runtime, "in_db", at_once)
    monkeypatch.setattr(runtime, "client", no_client)
    monkeypatch.setattr(deliveries, "check", no_check)
    monkeypatch.setattr(daily_reconciliation, "_claim", lambda day, again: no_client())


CASES = [(name, who) for name in OPERATIONS for who in ACTORS]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("name", "who"), CASES)
def test_every_operation_is_open_to_those_allowed_and_refused_to_others(
    name: str, who: str, decisions: list[Action], people: People
) -> None:
    operation = OPERATIONS[name]
    world = World(who, people)
    thing = operation.arrange(world)
    world.deactivate()
    assert policy.role_of(world.actor) is ACTORS[who]
    decisions.clear()

    refused = None
    try:
        operation.call(thing, world.actor)
    except NotAllowed as error:
        refused = error.action
    except Permitted:
        pass

    assert operation.action in decisions, "the policy decides this operation as the action in the table"
    assert refused is (None if who in operation.allowed else operation.action)


def unwalked(actions: Iterable[str], cases: Iterable[tuple[str, str]], lines: Iterable[Line]) -> list[str]:
    """Each action that no test tries as some role, as `action as role`.

    `cases` are those of the test above, `lines` those of the URL table. No one can sign in as Rushes itself, so that
    a page needs no case for it (`test_rushes_itself_needs_no_pages`).
    """
    walked = {(OPERATIONS[name].action, ACTORS[who]) for name, who in cases}
    pages = {line.action for line in lines if line.action}
    walked |= {(action, role) for action in pages for role in (*ROLES.values(), Role.SYSTEM)}
    return [
        f"{action} as {role or 'no role'}"
        for action in actions
        for role in (*Role, None)
        if (action, role) not in walked
    ]


def test_every_action_is_tried_as_every_role() -> None:
    assert unwalked(Action, CASES, TABLE) == []


def test_an_action_that_no_test_tries_is_found() -> None:
    every_role = ["member", "admin", "system", "no role"]

    assert unwalked([*Action, "job.planted"], CASES, TABLE) == [
        f"job.planted as {role}" for role in every_role
    ]

    cases = [(name, who) for name, who in CASES if OPERATIONS[name].action is not Action.JOB_EDIT]
    assert unwalked(Action, cases, TABLE) == [f"job.edit as {role}" for role in every_role]

    cases = [(name, who) for name, who in CASES if (name, who) != ("edit a job", "admin")]
    assert unwalked(Action, cases, TABLE) == ["job.edit as admin"]

    lines = [line for line in TABLE if line.action is not Action.INSIGHTS_VIEW]
    assert unwalked(Action, CASES, lines) == [f"insights.view as {role}" for role in every_role]


def test_rushes_itself_needs_no_pages() -> None:
    pages = {line.action for line in TABLE if line.action}
    assert [action for action in pages if policy.can(policy.SYSTEM, action)] == []


@pytest.mark.parametrize("setting", [False, True])
def test_members_may_cancel_each_others_jobs_if_the_team_setting_allows_it(
    setting: bool, people: People
) -> None:
    world = World("other", people)
    job, batch = world.job(), world.batch()
    for value in (not setting, setting):
        team_settings.change(team_settings.TEAM_CANCELS, value, actor=people.ada)

    for action, thing in ((Action.JOB_CANCEL, job), (Action.BATCH_CANCEL, batch), (Action.BATCH_UNDO, batch)):
        assert policy.can(world.actor, action, thing) is setting
    assert not policy.can(world.actor, Action.JOB_PAUSE, job), "the setting only affects cancelling"


@pytest.mark.parametrize("role", Role)
def test_the_team_setting_affects_only_cancelling_by_members(role: Role) -> None:
    def decisions(setting: bool) -> set[Action]:
        return {
            action
            for action in Action
            if policy.allows(role, action, is_own=False, team_cancels=lambda: setting)
        }

    cancelling = {Action.JOB_CANCEL, Action.BATCH_CANCEL, Action.BATCH_UNDO}
    assert decisions(True) ^ decisions(False) == (cancelling if role is Role.MEMBER else set())


def test_admins_may_do_to_their_own_things_what_they_may_not_do_for_others() -> None:
    own, others = (
        {action for action in Action if policy.allows(Role.ADMIN, action, is_own=is_own)}
        for is_own in (True, False)
    )

    assert own - others == {
        Action.COMMENT_WITHDRAW,
        Action.BATCH_START,
        Action.BATCH_DISCARD,
        Action.SELECTION_RUN,
    }


@pytest.mark.parametrize(("role", "actors"), [(Role.MEMBER, {"owner", "other"}), (Role.SYSTEM, SYSTEM)])
def test_an_action_that_is_closed_to_a_role_is_closed_to_it_for_its_own_things_too(
    role: Role, actors: set[str]
) -> None:
    opened = {operation.action for operation in OPERATIONS.values() if operation.allowed & actors}
    closed = {operation.action for operation in OPERATIONS.values()} - opened

    assert closed
    assert [a for a in closed if policy.allows(role, a, is_own=True, team_cancels=lambda: True)] == []


def test_rushes_itself_cannot_act_as_a_person() -> None:
    assert policy.require(policy.SYSTEM, Action.JOB_START) is None
    with pytest.raises(NotAllowed) as refused:
        policy.require_person(policy.SYSTEM, Action.JOB_START)

    assert refused.value.action is Action.JOB_START


def test_a_refusal_says_what_is_not_allowed() -> None:
    assert str(NotAllowed(Action.JOB_CANCEL)) == "You are not allowed to cancel this job."


def test_a_refused_cancel_request_is_recorded_with_its_actor(people: People) -> None:
    world = World("other", people)
    job = world.job()

    with pytest.raises(NotAllowed):
        cancel.request(job, actor=world.actor)

    assert list(
        Event.objects.filter(execution=job, kind=Kind.CANCEL_REFUSED).values_list("actor", flat=True)
    ) == [world.actor.pk]


def test_a_user_id_has_the_current_permissions_of_that_user(ann: Any) -> None:
    assert policy.require(ann.pk, Action.JOB_START) == ann.pk
    ann.is_active = False
    ann.save(update_fields=["is_active"])
    assert not policy.can(ann.pk, Action.JOB_START)
    assert not policy.can(0, Action.JOB_START)


@pytest.mark.parametrize(
    ("who", "plans"),
    [("owner", 1), ("other", 0), ("admin", 0), ("system", 1), ("deactivated", 0), ("anonymous", 0)],
)
def test_plans_are_visible_only_to_their_creators(who: str, plans: int, people: People) -> None:
    world = World(who, people)
    plan, job = world.plan(), world.job()
    world.deactivate()

    assert policy.visible_to(world.actor, type(plan).objects.all()).count() == plans
    is_active = who not in ("deactivated", "anonymous")
    assert policy.visible_to(world.actor, Execution.objects.filter(pk=job.pk)).exists() is is_active


OWNER_COLUMNS = {BatchPlan: "created_by", Selection: "created_by", Mention: "person"}
SHARED_ROWS = (Execution, File, Batch, Comment, SavedFilter, BatchCancel)


@pytest.mark.parametrize("model", [*OWNER_COLUMNS, *SHARED_ROWS])
def test_rows_are_visible_to_everyone_or_only_to_the_person_they_belong_to(
    model: type[Model], ann: Any, ada: Any
) -> None:
    owner, rows = OWNER_COLUMNS.get(model), model._default_manager.all()

    for actor in (ann, ada):
        expected = rows.filter(**{owner: actor.pk}) if owner else rows
        assert str(policy.visible_to(actor, rows).query) == str(expected.query)
