"""Only the policy decides permissions, only the domain writes rows, and only stored bodies skip validation.

tests/executions/test_policy.py proves that every action is tried as every role.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from executions.policy import RULES, Action
from tests.house.policy_rules import (
    acting_modules,
    dashboard_records,
    dashboard_writes,
    role_checks,
    unchecked,
    unrestricted_loads,
    unused_actions,
    validation_skips,
)
from tests.house.source_tree import ROOT

# An empty list of modules would pass.
MIN_ACTING_MODULES = 20


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
    assert unused_actions(ROOT) == set()


def test_an_unused_action_is_found(tmp_path: Path) -> None:
    others = [action.name for action in Action if action is not Action.JOB_START]
    code = "".join(f"require(actor, Action.{name})\n" for name in others)

    assert unused_actions(planted(tmp_path, "executions/planted.py", code)) == {"JOB_START"}


@pytest.mark.parametrize("module", acting_modules(ROOT))
def test_every_operation_checks_its_actor_or_passes_it_on(module: str) -> None:
    assert unchecked(ROOT, module) == []


def test_every_module_with_operations_is_read(tmp_path: Path) -> None:
    assert len(acting_modules(ROOT)) >= MIN_ACTING_MODULES

    planted(tmp_path, "executions/policy.py", "def require(actor): ...\n")
    planted(tmp_path, "executions/core/other.py", "def f(person): ...\n")
    planted(tmp_path, "executions/new/planted.py", "class Planted:\n    def pause(self, *, actor): ...\n")
    assert acting_modules(tmp_path) == ["executions/new/planted.py"]
    assert unchecked(tmp_path, "executions/new/planted.py") == ["executions/new/planted.py: pause"]


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


def test_the_dashboard_records_no_act_but_signing_in_and_out() -> None:
    assert dashboard_records(ROOT) == []


@pytest.mark.parametrize(
    "code",
    [
        "from executions.audit import record as audit_log\n",
        "from executions.audit.record import record\n",
        "import executions.audit.record\n",
        "def f():\n    from executions.audit import record\n",
    ],
)
def test_a_planted_audit_entry_of_the_dashboard_is_found(tmp_path: Path, code: str) -> None:
    planted(tmp_path, "dashboard/people/sign_in_views.py", code)

    assert len(dashboard_records(planted(tmp_path, "dashboard/people/planted.py", code))) == 1


def test_views_load_only_what_the_person_may_see() -> None:
    assert unrestricted_loads(ROOT) == []


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("get_object_or_404(Selection, pk=pk)", True),
        ("get_object_or_404(BatchPlan.objects.filter(batch=None), pk=pk)", True),
        ("await aget_object_or_404(models.File, pk=pk)", True),
        ("get_object_or_404(policy.visible_to(user, Selection.objects.all()), pk=pk)", False),
        ("get_object_or_404(WebhookDelivery, pk=pk)", False),
    ],
)
def test_a_planted_load_without_visible_to_is_found(tmp_path: Path, code: str, is_found: bool) -> None:
    planted(tmp_path, "dashboard/planted.py", f"async def f():\n    {code}\n")

    assert unrestricted_loads(tmp_path) == (["dashboard/planted.py:2"] if is_found else [])


def test_only_stored_bodies_skip_validation() -> None:
    assert validation_skips(ROOT) == []


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("dashboard/executions/views.py", "def f(post):\n    return tools.already_validated(post)\n"),
        ("executions/sync/planted.py", "BODY = already_validated({})\n"),
        ("executions/lifecycle/create.py", "def start(body):\n    return already_validated(body)\n"),
        ("executions/lifecycle/create.py", "def f(bodies):\n    return map(already_validated, bodies)\n"),
    ],
)
def test_a_planted_skip_of_the_validation_is_found(tmp_path: Path, module: str, code: str) -> None:
    assert len(validation_skips(planted(tmp_path, module, code))) == 1


def test_a_rerun_may_skip_the_validation(tmp_path: Path) -> None:
    code = "from executions.tools import already_validated\n\n\ndef rerun(job):\n    return already_validated(job)\n"

    assert validation_skips(planted(tmp_path, "executions/lifecycle/create.py", code)) == []
