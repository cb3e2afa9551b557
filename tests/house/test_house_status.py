"""Only the package executions/lifecycle writes a job's status; the check is tested on planted offences."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from executions.lifecycle.observations import Observation
from executions.lifecycle.transitions import TRANSITIONS, decide
from executions.models import Execution
from executions.models.event import Source
from tests.house.source_tree import ROOT
from tests.house.status_writers import LIFECYCLE, status_writers

OFFENCES = {
    "an UPDATE": "Execution.objects.filter(pk=1).update(status='failed')",
    "an UPDATE, awaited": "async def f(rows):\n    await rows.aupdate(note='', status='failed')",
    "an UPDATE by a dictionary": "rows.update(**{'status': 'failed', 'note': ''})",
    "an UPDATE by a dictionary built earlier": "columns = {'status': 'failed'}\nrows.update(**columns)",
    "an UPDATE by a dictionary filled earlier": "columns = {}\ncolumns['status'] = 'failed'\nrows.update(**columns)",
    "an UPDATE by dict()": "columns = dict(status='failed')\nrows.update(note='', **columns)",
    "an attribute": "def f(job):\n    job.status = 'failed'",
    "an attribute with a type": "def f(job):\n    job.status: str = 'failed'",
    "two attributes at once": "def f(job):\n    job.note, job.status = '', 'failed'",
    "a nested attribute": "def f(result):\n    result.execution.status = 'failed'",
    "setattr": "def f(job):\n    setattr(job, 'status', 'failed')",
    "bulk_update": "Execution.objects.bulk_update(jobs, ['note', 'status'])",
    "bulk_update by keyword": "Execution.objects.bulk_update(objs=jobs, fields=('status',))",
    "save": "def f(job):\n    job.save(update_fields=['status'])",
    "a new row": "Execution(tool='generate-image', status='failed')",
    "create": "Execution.objects.create(status='failed')",
    "update_or_create": "Execution.objects.update_or_create(pk=1, defaults={'status': 'failed'})",
}
HARMLESS = {
    "a filter": "Execution.objects.filter(status='failed').update(note='')",
    "a comparison": "def f(job):\n    return job.status == 'failed'",
    "the observed status of an external job": "ExternalJob.objects.filter(pk=1).update(status='failed')",
    "another column": "Execution.objects.filter(pk=1).update(next_attempt_at=None)",
    "the status of an error": "class E(Exception):\n    def __init__(self, status):\n        self.status = status",
    "a returned dictionary": "def f(job):\n    return {'status': job.status}",
    "columns of a SELECT": "Execution.objects.values_list('status')",
}


def planted(tree: Path, module: str, code: str) -> Path:
    """A source tree with the lifecycle and one other module."""
    for path, source in (
        (LIFECYCLE / "status_machine.py", "def f(job):\n    job.status = 'failed'\n"),
        (Path(module), code + "\n"),
    ):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(source)
    return tree


def test_only_the_lifecycle_writes_a_jobs_status() -> None:
    assert status_writers(ROOT) == []
    assert (ROOT / LIFECYCLE / "status_machine.py").exists()


@pytest.mark.parametrize("module", ["executions/shortcut.py", "dashboard/views/shortcut.py"])
@pytest.mark.parametrize("code", OFFENCES.values(), ids=OFFENCES)
def test_a_planted_offence_is_found(tmp_path: Path, module: str, code: str) -> None:
    found = status_writers(planted(tmp_path, module, code))

    assert len(found) == 1
    assert found[0].startswith(f"{module}:")


def test_a_model_that_writes_its_own_status_is_found(tmp_path: Path) -> None:
    code = "class Execution:\n    def end(self):\n        self.status = 'failed'"

    assert status_writers(planted(tmp_path, "executions/models/execution.py", code)) == [
        "executions/models/execution.py:3 sets self.status"
    ]


@pytest.mark.parametrize("code", HARMLESS.values(), ids=HARMLESS)
def test_code_that_only_reads_the_status_is_allowed(tmp_path: Path, code: str) -> None:
    assert status_writers(planted(tmp_path, "executions/shortcut.py", code)) == []


def test_the_check_finds_the_writes_of_the_lifecycle_under_another_name(tmp_path: Path) -> None:
    """The check recognises how the real module writes the status."""
    code = (ROOT / LIFECYCLE / "status_machine.py").read_text()

    assert status_writers(planted(tmp_path, "executions/other.py", code)) != []


def _subclasses(base: type) -> Iterator[type]:
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)


def test_every_observation_has_its_own_named_transition() -> None:
    assert set(TRANSITIONS) == set(_subclasses(Observation))
    assert len(set(TRANSITIONS.values())) == len(TRANSITIONS)


def test_an_observation_without_a_transition_is_found() -> None:
    class Planted(Observation):
        pass

    assert set(_subclasses(Observation)) - set(TRANSITIONS) == {Planted}
    with pytest.raises(TypeError, match="not an observation"):
        decide(Planted(source=Source.SYSTEM), Execution())
    del Planted
    gc.collect()
