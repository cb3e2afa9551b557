"""The two demo users, which exist only with the sandbox."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings

from executions.team import members

NAMES = ("admin", "member")


@dataclass(frozen=True)
class Password:
    value: str

    def to_message(self) -> str:
        return (
            f"password {self.value}"
            if self.value
            else "with the password that was printed on the first start"
        )


def create_missing() -> Password:
    """Create missing demo users. A random password can be shown only when it is created; DEMO_PASSWORD, if set, always
    applies."""
    missing = members.without_member(NAMES)
    password = settings.DEMO_PASSWORD or (secrets.token_urlsafe(9) if missing else "")
    for name in NAMES:
        if name in missing or settings.DEMO_PASSWORD:
            members.set_up(name, password, members.ADMIN if name == "admin" else members.MEMBER)
    return Password(password)
