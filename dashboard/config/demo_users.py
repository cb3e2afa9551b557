"""The two demo people. They exist with the sandbox only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model

NAMES = ("admin", "member")


@dataclass(frozen=True)
class Password:
    value: str

    def told(self) -> str:
        return f"password {self.value}" if self.value else "with the password that was printed the first time"


def make_people() -> Password:
    """Make whoever is missing. A random password is made, and can be told, only once; DEMO_PASSWORD always counts."""
    people = get_user_model()
    missing = [name for name in NAMES if not people.objects.filter(username=name).exists()]
    password = settings.DEMO_PASSWORD or (secrets.token_urlsafe(9) if missing else "")
    for name in NAMES:
        if name in missing or settings.DEMO_PASSWORD:
            person, _ = people.objects.get_or_create(username=name)
            person.is_staff = person.is_superuser = name == "admin"
            if not person.check_password(password):
                person.set_password(password)
            person.save()
    return Password(password)
