"""The media cache: equal tasks are rendered once, different ones separately, and each task has its own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.media_cache import CACHE_VARIABLE, cached

type Render = Callable[..., tuple[dict[str, Any], Path]]


class Maker:
    """Writes one file, and counts the calls."""

    def __init__(self) -> None:
        self.count = 0

    def make(self, folder: Path) -> dict[str, Any]:
        self.count += 1
        (folder / "original.png").write_text(f"image {self.count}")
        return {"number": self.count}


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def render(tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> Render:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))

    def render(inputs: dict[str, str] | None = None, **changes: Any) -> tuple[dict[str, Any], Path]:
        """Run a task; returns the result and its folder. `inputs`: contents by id."""
        folder = tmp_path / f"job {len(list(tmp_path.glob('job *')))}"
        folder.mkdir()
        files = {}
        for file_id, content in (inputs or {}).items():
            path = folder.with_name(f"input {file_id}")
            path.write_text(content)
            files[file_id] = {
                "path": str(path),
                "type": "IMAGE",
                "display_name": "a picture",
                "transcript": None,
            }
        request = {"prompt": "a hill", "imageFileIds": list(files)}
        defaults = {"maker": "picture", "tool": "generate-image", "index": 0, "request": request}
        task = {**defaults, "folder": str(folder), "inputs": files, **changes}
        return cached(task, lambda: maker.make(folder)), folder

    return render


def test_same_task_is_rendered_once_and_each_copy_is_complete(render: Render, maker: Maker) -> None:
    first, one = render()
    (one / "original.png").unlink()

    second, two = render()

    assert (first, second, maker.count) == ({"number": 1}, {"number": 1}, 1)
    assert [path.name for path in two.iterdir()] == ["original.png"]
    assert (two / "original.png").read_text() == "image 1"


@pytest.mark.parametrize(
    "changes",
    [{"index": 1}, {"maker": "vector"}, {"tool": "upscale-image"}, {"request": {"prompt": "two hills"}}],
    ids=lambda changes: next(iter(changes)),
)
def test_different_task_is_rendered(render: Render, maker: Maker, changes: dict[str, Any]) -> None:
    render()

    assert render(**changes)[0] == {"number": 2}


def test_inputs_are_compared_by_content(render: Render, maker: Maker) -> None:
    render(inputs={"vg_file_1": "a cat"})

    assert render(inputs={"vg_file_2": "a cat"})[0] == {"number": 1}
    assert render(inputs={"vg_file_3": "a dog"})[0] == {"number": 2}


def test_longest_side_is_part_of_the_key(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_LONGEST_SIDE", "480")
    render()
    monkeypatch.setenv("SANDBOX_LONGEST_SIDE", "240")

    assert render()[0] == {"number": 2}


def test_failed_tasks_are_not_cached(render: Render, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path) -> dict[str, Any]:
        (folder / "original.png").write_text("half")
        raise ValueError("no")

    with monkeypatch.context() as broken, pytest.raises(ValueError, match="no"):
        broken.setattr(maker, "make", fails)
        render()

    assert render()[0] == {"number": 1}


def test_nothing_is_cached_without_a_folder(
    render: Render, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)

    assert [render()[0]["number"] for _ in range(2)] == [1, 2]
