"""Within a package a folder imports only folders below it, and modules do not import each other in a circle.

docs/architecture.md shows the layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT, imports, modules

type Layers = Sequence[frozenset[str]]

# From the bottom up. Folders of one layer do not import each other, so a page imports no other page.
EXECUTIONS: Layers = (
    frozenset({"videogen", "tools", "statuses", "signals"}),
    frozenset({"core"}),
    frozenset({"models"}),
    frozenset({"policy", "limits", "audit", "account", "search", "stats"}),
    frozenset({"files", "team"}),
    frozenset({"lifecycle", "copies"}),
    frozenset({"webhooks", "batches", "exports"}),
    frozenset({"sync"}),
    frozenset({"workers"}),
    frozenset({"management", "apps"}),
)
PAGES = frozenset(
    {
        "audit",
        "batches",
        "executions",
        "history",
        "insights",
        "library",
        "people",
        "queue",
        "studio",
        "webhooks",
    }
)
DASHBOARD: Layers = (
    frozenset({"config", "sqlite"}),
    frozenset({"http"}),
    frozenset({"cards", "forms", "workers"}),
    frozenset({"live"}),
    frozenset({"templatetags"}),
    PAGES,
    frozenset({"admin", "apps", "settings"}),
    frozenset({"asgi", "urls"}),
    frozenset({"server"}),
    frozenset({"management"}),
)
LAYERS = {"executions": EXECUTIONS, "dashboard": DASHBOARD}
# Tables refer to each other in both directions: a job has results, a file belongs to a job. The import is in a function.
MUTUAL = ("executions.models.execution", "executions.models.file")


def offences(root: Path, package: str) -> Iterator[str]:
    rank = {name: place for place, layer in enumerate(LAYERS[package]) for name in layer}
    for module in modules(root, package):
        folder = module.parts[1].removesuffix(".py")
        if folder in ("__init__", "migrations"):
            continue
        if folder not in rank:
            yield f"{module} is in no layer"
            continue
        for line, name in imports(root, module):
            origin, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if origin != package or not target or target == folder:
                continue
            if target not in rank:
                yield f"{module}:{line} imports {name}, which is in no layer"
            elif rank[target] > rank[folder]:
                yield f"{module}:{line} imports {name} from a layer above"
            elif rank[target] == rank[folder]:
                yield f"{module}:{line} imports {name} from its own layer"


def cycle(root: Path, package: str) -> list[str]:
    """The modules of a circle of imports, the first one again at the end; empty if there is none."""
    found = {_dotted(module): module for module in modules(root, package) if "migrations" not in module.parts}
    graph = {
        name: {
            target
            for _, imported in imports(root, module)
            if (target := _module_of(imported, found)) not in ("", name) and (name, target) != MUTUAL
        }
        for name, module in found.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _dotted(module: Path) -> str:
    return ".".join(module.with_suffix("").parts).removesuffix(".__init__")


def _module_of(name: str, found: dict[str, Path]) -> str:
    """The module that an imported name is, or is defined in; empty if it is in another package."""
    while name and name not in found:
        name = name.rpartition(".")[0]
    return name


def mapped(text: str, package: str) -> list[frozenset[str]]:
    """The layers that the map shows, from the bottom up. Names on a line are followed by a description."""
    lines = re.findall(rf"^{package}/\n((?:  .+\n)+)", text, re.MULTILINE)[0].splitlines()
    return [frozenset(re.split(" {2,}", line.strip())[0].split()) for line in reversed(lines)]


@pytest.mark.parametrize("package", LAYERS)
def test_the_map_shows_the_layers(package: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert mapped(text, package) == list(LAYERS[package])


def test_a_map_that_differs_is_found() -> None:
    text = "```\nexecutions/\n  sync          submit, poll\n  webhooks core     receive\n\ndashboard/\n  live     x\n```\n"
    assert mapped(text, "executions") == [frozenset({"webhooks", "core"}), frozenset({"sync"})]
    assert mapped(text, "dashboard") == [frozenset({"live"})]


@pytest.mark.parametrize("package", LAYERS)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    assert cycle(ROOT, package) == []


@pytest.mark.parametrize("package", LAYERS)
def test_folders_import_only_folders_below_them(package: str) -> None:
    assert list(offences(ROOT, package)) == []


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("executions/models/job.py", "from executions.lifecycle import status_machine"),
        ("executions/lifecycle/send.py", "def f():\n    from executions.webhooks import ingest"),
        ("executions/webhooks/a.py", "from executions.batches import service"),
        ("executions/somewhere/a.py", "x = 1"),
        ("executions/core/a.py", "from executions import somewhere"),
        ("executions/audit/record.py", "from executions import policy"),
        ("executions/tools/a.py", "from executions.videogen import errors"),
        ("executions/apps.py", "from executions.management.commands import verify_audit"),
        ("dashboard/cards/job.py", "from dashboard.templatetags.rushes import icon"),
        ("dashboard/studio/views.py", "from dashboard.batches.pages import BatchList"),
        ("dashboard/live/renderer.py", "import dashboard.queue.views"),
        ("dashboard/http/paths.py", "from dashboard import urls"),
        ("dashboard/http/params.py", "from dashboard.cards import job"),
        ("dashboard/cards/job.py", "from dashboard.forms import fields"),
        ("dashboard/admin.py", "from dashboard.urls import urlpatterns"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, module: str, code: str) -> None:
    (tmp_path / module).parent.mkdir(parents=True)
    (tmp_path / module).write_text(code)

    assert len(list(offences(tmp_path, module.split("/")[0]))) == 1


@pytest.mark.parametrize(
    ("module", "code"),
    [
        (
            "executions/workers/files.py",
            "from executions.models import Execution\nfrom executions.sync import x",
        ),
        ("executions/copies/make_copy.py", "from executions.copies import storage"),
        ("executions/team/members.py", "from executions import policy"),
        ("dashboard/urls.py", "from dashboard import admin"),
        ("dashboard/queue/views.py", "from dashboard.live import renderer\nfrom executions.queue import x"),
        ("dashboard/cards/job.py", "from dashboard.http import paths"),
    ],
)
def test_an_import_from_below_is_allowed(tmp_path: Path, module: str, code: str) -> None:
    (tmp_path / module).parent.mkdir(parents=True)
    (tmp_path / module).write_text(code)

    assert list(offences(tmp_path, module.split("/")[0])) == []


@pytest.mark.parametrize(
    "code",
    [
        "from executions.team import comments",
        "from executions.team.comments import add",
        "import executions.team.comments",
        "from . import comments",
        "def f():\n    from .comments import add",
    ],
)
def test_a_planted_circle_is_found(tmp_path: Path, code: str) -> None:
    team = tmp_path / "executions" / "team"
    team.mkdir(parents=True)
    (team / "__init__.py").write_text("")
    (team / "members.py").write_text(code)
    (team / "comments.py").write_text("import os\n")
    assert cycle(tmp_path, "executions") == []

    (team / "comments.py").write_text("from executions.team import members\n")
    assert set(cycle(tmp_path, "executions")) == {"executions.team.comments", "executions.team.members"}
