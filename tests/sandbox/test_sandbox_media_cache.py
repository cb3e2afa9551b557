"""The cache of made media: the same order is made once, another order is made anew, and each job has files of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.media_cache import FOLDER, remembered

type Ask = Callable[..., tuple[dict[str, Any], Path]]


class Maker:
    """Writes one file, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.count = 0

    def make(self, folder: Path) -> dict[str, Any]:
        self.count += 1
        (folder / "original.png").write_text(f"made {self.count}")
        return {"number": self.count}


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def ask(tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))

    def ask(inputs: dict[str, str] | None = None, **changed: Any) -> tuple[dict[str, Any], Path]:
        """What is made of an order, and the folder that it lies in. `inputs`: contents by id."""
        folder = tmp_path / f"job {len(list(tmp_path.glob('job *')))}"
        folder.mkdir()
        given = {}
        for file_id, content in (inputs or {}).items():
            path = folder.with_name(f"input {file_id}")
            path.write_text(content)
            given[file_id] = {
                "path": str(path),
                "type": "IMAGE",
                "display_name": "a picture",
                "transcript": None,
            }
        request = {"prompt": "a hill", "imageFileIds": list(given)}
        order = {"maker": "picture", "tool": "generate-image", "index": 0, "request": request}
        job = {**order, "folder": str(folder), "inputs": given, **changed}
        return remembered(job, lambda: maker.make(folder)), folder

    return ask


def test_the_same_order_is_made_once_and_is_whole_each_time(ask: Ask, maker: Maker) -> None:
    first, one = ask()
    (one / "original.png").unlink()

    second, two = ask()

    assert (first, second, maker.count) == ({"number": 1}, {"number": 1}, 1)
    assert [path.name for path in two.iterdir()] == ["original.png"]
    assert (two / "original.png").read_text() == "made 1"


@pytest.mark.parametrize(
    "changed",
    [{"index": 1}, {"maker": "vector"}, {"tool": "upscale-image"}, {"request": {"prompt": "two hills"}}],
    ids=lambda changed: next(iter(changed)),
)
def test_another_order_is_made_anew(ask: Ask, maker: Maker, changed: dict[str, Any]) -> None:
    ask()

    assert ask(**changed)[0] == {"number": 2}


def test_inputs_count_by_what_is_in_them(ask: Ask, maker: Maker) -> None:
    ask(inputs={"vg_file_1": "a cat"})

    assert ask(inputs={"vg_file_2": "a cat"})[0] == {"number": 1}
    assert ask(inputs={"vg_file_3": "a dog"})[0] == {"number": 2}


def test_the_longest_side_counts(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_LONGEST_SIDE", "480")
    ask()
    monkeypatch.setenv("SANDBOX_LONGEST_SIDE", "240")

    assert ask()[0] == {"number": 2}


def test_what_could_not_be_made_is_tried_again(
    ask: Ask, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> dict[str, Any]:
        (folder / "original.png").write_text("half")
        raise ValueError("no")

    with monkeypatch.context() as broken, pytest.raises(ValueError, match="no"):
        broken.setattr(maker, "make", fails)
        ask()

    assert ask()[0] == {"number": 1}


def test_without_a_folder_everything_is_made_anew(
    ask: Ask, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER)

    assert [ask()[0]["number"] for _ in range(2)] == [1, 2]
