"""People: a small cast that is always the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class People:
    """Always the same: two members of one team, and an admin."""

    ann: Any
    ben: Any
    ada: Any


def team() -> People:
    """The cast, with passwords that nobody has to hash: those who sign in do so without one."""
    from django.contrib.auth import get_user_model

    create = get_user_model().objects.create
    return People(
        ann=create(username="ann"), ben=create(username="ben"), ada=create(username="ada", is_staff=True)
    )
