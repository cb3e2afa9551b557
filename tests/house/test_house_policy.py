"""Only the policy decides permissions, and the dashboard writes no rows.

tests/executions/test_policy.py proves that every action is tried as every role.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from executions.policy import RULES, Action
from tests.house.policy_rules import dashboard_writes, referenced_actions, role_checks, unchecked
from tests.house.source_tree import ROOT

# Modules of the domain whose public functions take an actor.
MODULES = (
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


def test_only_the_policy_reads_roles() -> None:
    assert role_checks(ROOT) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("executions/planted.py", "def f(user):\n    return user.is_staff\n"),
        ("dashboard/people/planted.py", "def f(people):\n    return people.filter(is_staff=True)\n"),
        ("templates/queue/planted.html", "<p>\n{% if user.is_staff %}</p>\n"),
    ],
)
def test_a_planted_role_check_is_found(tmp_path: Path, name: str, text: str) -> None:
    assert role_checks(planted(tmp_path, name, text)) == [f"{name}:2"]


def test_every_action_has_a_rule_and_is_used() -> None:
    assert set(RULES) == set(Action)
    assert {action.name for action in Action} - referenced_actions(ROOT) == set()


def test_an_unused_action_is_found(tmp_path: Path) -> None:
    root = planted(tmp_path, "executions/planted.py", "require(actor, Action.JOB_START)\n")

    assert referenced_actions(root) == {"JOB_START"}


@pytest.mark.parametrize("module", MODULES)
def test_every_operation_checks_its_actor_or_passes_it_on(module: str) -> None:
    assert unchecked(ROOT, module) == []
    assert "actor: Actor" in (ROOT / module).read_text()


def test_an_operation_that_checks_nothing_is_found(tmp_path: Path) -> None:
    code = (
        "def pause(job, *, actor):\n    job.pause()\n\n\ndef resume(job, *, actor):\n    require(actor, 1)\n"
    )

    assert unchecked(planted(tmp_path, "executions/planted.py", code), "executions/planted.py") == [
        "executions/planted.py: pause"
    ]


def test_the_dashboard_writes_no_rows_and_opens_no_cursor() -> None:
    assert dashboard_writes(ROOT) == []


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
    assert len(dashboard_writes(planted(tmp_path, "dashboard/planted.py", code))) == 1


@pytest.mark.parametrize("code", ["values.update({'a': 1})", "cache.delete(key)", "known.update(others)"])
def test_calls_that_write_no_row_are_allowed(tmp_path: Path, code: str) -> None:
    assert dashboard_writes(planted(tmp_path, "dashboard/planted.py", code)) == []
