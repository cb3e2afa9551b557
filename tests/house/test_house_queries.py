"""The dashboard asks named questions: queries are methods of the models' querysets, or functions of `executions`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.query_rules import dashboard_queries
from tests.house.source_tree import ROOT


def planted(root: Path, code: str, module: str = "dashboard/queue/planted.py") -> Path:
    (root / module).parent.mkdir(parents=True, exist_ok=True)
    (root / module).write_text(code)
    return root


def test_the_dashboard_builds_no_queries() -> None:
    assert dashboard_queries(ROOT) == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("jobs = Execution.objects.filter(tool=slug)", "filter()"),
        ("jobs = Execution.objects.filter(pk=pk, batch=None)", "filter()"),
        ("rows = rows.exclude(type='')", "exclude()"),
        ("count = batch.executions.filter(paused_at=None).count()", "filter()"),
        ("first = Rollup.objects.aggregate(first=start)", "aggregate()"),
        ("rows = rows.annotate(count)", "annotate()"),
        ("ids = rows.values_list('pk', flat=True)", "values_list()"),
        ("files = rows.values('file')", "values()"),
        ("columns = Execution.objects.for_cards().values(*names)", "values()"),
        ("ids = uses.union(Execution.objects.newest_first())", "union()"),
        ("rows = Event.objects.raw(sql)", "raw()"),
        ("from django.db.models import Q", "django.db.models.Q"),
        ("from django.db.models import QuerySet, Count", "django.db.models.Count"),
        ("from django.db.models.functions import Coalesce", "django.db.models.functions.Coalesce"),
        ("from django.db import models", "django.db.models"),
    ],
)
def test_a_planted_query_is_found(tmp_path: Path, code: str, name: str) -> None:
    assert dashboard_queries(planted(tmp_path, code)) == [f"dashboard/queue/planted.py:1 {name}"]


def test_a_query_over_several_lines_is_found_at_its_last_method(tmp_path: Path) -> None:
    code = "jobs = (\n    Execution.objects.for_cards()\n    .filter(batch=None)\n)\n"

    assert dashboard_queries(planted(tmp_path, code)) == ["dashboard/queue/planted.py:3 filter()"]


@pytest.mark.parametrize(
    "code",
    [
        "jobs = Execution.objects.for_cards().newest_first()[:20]",
        "rows = File.objects.select_related('created_by').defer('snapshot').order_by('-id')",
        "job = get_object_or_404(Execution.objects.for_cards(), pk=pk)",
        "files = File.objects.in_bulk(ids)",
        "batch = Batch.objects.filter(pk=pk).first()",
        "waits = Execution.objects.send_queue().exists()",
        "from django.db.models import Model, QuerySet",
        "from django.db import DatabaseError, connection",
        "register.filter('advice', advice)",
        "chosen = list(filter(None, ids))",
        "names = by_id.values()",
        "given = query.values(name)",
        "both = known.union(others)",
    ],
)
def test_pages_may_call_named_queries_and_choose_rows(tmp_path: Path, code: str) -> None:
    assert dashboard_queries(planted(tmp_path, code)) == []


def test_the_admin_site_may_build_queries(tmp_path: Path) -> None:
    code = "from django.db.models import Q"

    assert dashboard_queries(planted(tmp_path, code, "dashboard/admin.py")) == []
