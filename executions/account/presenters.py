"""The account's presenters, for avatars; API version 2 has none."""

from __future__ import annotations

from executions.account import cached_lists
from executions.videogen import Presenter, VideoGen


def usable() -> tuple[list[Presenter], str]:
    """All presenters, and a message if they could not be loaded, else "". For views (sync)."""
    entries = cached_lists.cached("presenters", VideoGen.list_presenters)
    if entries is None:
        return [], "The presenters could not be loaded. Try again in a moment."
    return [Presenter.from_wire(raw) for raw in entries], ""
