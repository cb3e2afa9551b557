"""The two demo people. They exist with the sandbox only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings

from executions.team import members

NAMES = ("admin", "member")


@dataclass(frozen=True)
class Password:
    value: str

    def told(self) -> str:
        return f"password {self.value}" if self.value else "with the password that was printed the first time"


def make_people() -> Password:
    """Make whoever is missing. A random password is made, and can be told, only once; DEMO_PASSWORD always counts."""
    missing = members.missing(NAMES)
    password = settings.DEMO_PASSWORD or (secrets.token_urlsafe(9) if missing else "")
    for name in NAMES:
        if name in missing or settings.DEMO_PASSWORD:
            members.set_up(name, password, members.ADMIN if name == "admin" else members.MEMBER)
    return Password(password)
