"""Permissions are the policy's alone, and the dashboard writes no rows; the checks are proven on planted offences."""

from __future__ import annotations

from pathlib import Path

import pytest

from executions.policy import RULES, Action
from tests.house.plan import ROOT
from tests.house.policy_rules import actions_used, role_checks, unasked, writes_of_dashboard

# Modules of the domain whose public functions are what people do.
ACTS = (
    "executions/lifecycle/cancel.py",
    "executions/lifecycle/create.py",
    "executions/lifecycle/chains.py",
    "executions/lifecycle/queue_actions.py",
    "executions/lifecycle/queue_state.py",
    "executions/lifecycle/voice_samples.py",
    "executions/batches/service.py",
    "executions/batches/bulk_actions.py",
    "executions/files/actions.py",
    "executions/files/uploads.py",
    "executions/copies/requests.py",
    "executions/exports/evidence.py",
    "executions/team/members.py",
    "executions/team/comments.py",
    "executions/team/settings.py",
    "executions/team/saved_filters.py",
    "executions/team/last_visit.py",
    "executions/webhooks/endpoints.py",
    "executions/webhooks/deliveries.py",
    "executions/sync/daily_reconciliation.py",
    "executions/sync/external_jobs.py",
    "executions/sync/file_import.py",
)


def planted(root: Path, name: str, text: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return root


def test_roles_are_read_in_the_policy_alone() -> None:
    assert role_checks(ROOT) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("executions/planted.py", "def f(user):\n    return user.is_staff\n"),
        ("dashboard/people/planted.py", "def f(people):\n    return people.filter(is_staff=True)\n"),
        ("templates/queue/planted.html", "<p>\n{% if user.is_staff %}</p>\n"),
    ],
)
def test_a_planted_check_of_a_role_is_found(tmp_path: Path, name: str, text: str) -> None:
    assert role_checks(planted(tmp_path, name, text)) == [f"{name}:2"]


def test_every_action_has_a_rule_and_is_asked_for_somewhere() -> None:
    assert set(RULES) == set(Action)
    assert {action.name for action in Action} - actions_used(ROOT) == set()


def test_an_action_that_nobody_asks_for_is_found(tmp_path: Path) -> None:
    root = planted(tmp_path, "executions/planted.py", "require(actor, Action.JOB_START)\n")

    assert actions_used(root) == {"JOB_START"}


@pytest.mark.parametrize("module", ACTS)
def test_every_act_asks_the_policy_or_hands_its_actor_on(module: str) -> None:
    assert unasked(ROOT, module) == []
    assert "actor: Actor" in (ROOT / module).read_text()


def test_an_act_that_asks_nobody_is_found(tmp_path: Path) -> None:
    code = (
        "def pause(job, *, actor):\n    job.pause()\n\n\ndef resume(job, *, actor):\n    require(actor, 1)\n"
    )

    assert unasked(planted(tmp_path, "executions/planted.py", code), "executions/planted.py") == [
        "executions/planted.py: pause"
    ]


def test_the_dashboard_writes_no_rows_and_holds_no_cursor() -> None:
    assert writes_of_dashboard(ROOT) == []


@pytest.mark.parametrize(
    "code",
    [
        "row.delete()",
        "row.save(update_fields=['name'])",
        "SavedFilter.objects.create(name=name)",
        "File.objects.filter(pk=1).update(name=name)",
        "File.objects.update(name=name)",
        "async def f(rows):\n    await rows.adelete()",
        "Batch.objects.bulk_create(rows)",
        "with connection.cursor() as cursor:\n    pass",
    ],
)
def test_a_planted_write_is_found(tmp_path: Path, code: str) -> None:
    assert len(writes_of_dashboard(planted(tmp_path, "dashboard/planted.py", code))) == 1


@pytest.mark.parametrize("code", ["values.update({'a': 1})", "cache.delete(key)", "known.update(others)"])
def test_what_changes_no_row_is_no_offence(tmp_path: Path, code: str) -> None:
    assert writes_of_dashboard(planted(tmp_path, "dashboard/planted.py", code)) == []
