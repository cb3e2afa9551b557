"""Values of addresses and forms, read from text. What is not a value of its kind is None, never an error."""

from __future__ import annotations

import uuid


def as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
