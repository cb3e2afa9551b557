"""The team of the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class People:
    """Two members of a team, and an admin."""

    ann: Any
    ben: Any
    ada: Any


def team() -> People:
    """The people, saved. The password of each is "NAME's own password"."""
    from django.contrib.auth import get_user_model

    create = get_user_model().objects.create_user
    return People(
        ann=create("ann", password="ann's own password"),
        ben=create("ben", password="ben's own password"),
        ada=create("ada", password="ada's own password", is_staff=True),
    )
