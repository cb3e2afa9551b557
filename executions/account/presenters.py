"""The presenters that an avatar can have, as the account has them; era 2 has none."""

from __future__ import annotations

from executions.account import cached_lists
from executions.videogen import Presenter, VideoGen


def usable() -> tuple[list[Presenter], str]:
    """All presenters, and a sentence when they could not be read. For views (sync)."""
    known = cached_lists.remembered("presenters", VideoGen.list_presenters)
    if known is None:
        return [], "The presenters could not be read just now. Try again in a moment."
    return [Presenter.from_wire(raw) for raw in known], ""
