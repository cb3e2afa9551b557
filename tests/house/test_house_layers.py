"""Within a package a folder imports only folders below it, and no page imports another page (docs/architecture.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT, imports, modules

type Layers = Sequence[frozenset[str]]

# From the bottom up. Folders of one layer do not import each other, unless ALLOWED_WITHIN says so.
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
    frozenset({"http", "forms", "cards", "workers"}),
    frozenset({"live"}),
    frozenset({"templatetags"}),
    PAGES,
    frozenset({"urls", "asgi", "admin", "settings", "apps"}),
    frozenset({"server"}),
    frozenset({"management"}),
)
# Layers whose folders may import each other: shared parts of pages, and entry points. Pages must not.
ALLOWED_WITHIN = {
    "executions": (EXECUTIONS[0], EXECUTIONS[3], EXECUTIONS[-1]),
    "dashboard": (DASHBOARD[1], DASHBOARD[5]),
}
LAYERS = {"executions": EXECUTIONS, "dashboard": DASHBOARD}


def offences(root: Path, package: str) -> Iterator[str]:
    layers = LAYERS[package]
    rank = {name: place for place, layer in enumerate(layers) for name in layer}
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
            elif rank[target] == rank[folder] and layers[rank[folder]] not in ALLOWED_WITHIN[package]:
                yield f"{module}:{line} imports {name} from its own layer"


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
        ("dashboard/cards/job.py", "from dashboard.templatetags.rushes import icon"),
        ("dashboard/studio/views.py", "from dashboard.batches.pages import BatchList"),
        ("dashboard/live/renderer.py", "import dashboard.queue.views"),
        ("dashboard/http/paths.py", "from dashboard import urls"),
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
        ("executions/audit/record.py", "from executions import policy"),
        ("dashboard/queue/views.py", "from dashboard.live import renderer\nfrom executions.queue import x"),
        ("dashboard/cards/job.py", "from dashboard.http import paths"),
    ],
)
def test_an_import_from_below_is_allowed(tmp_path: Path, module: str, code: str) -> None:
    (tmp_path / module).parent.mkdir(parents=True)
    (tmp_path / module).write_text(code)

    assert list(offences(tmp_path, module.split("/")[0])) == []
