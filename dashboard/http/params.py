"""Values of addresses and forms, read from text. What is not a value of its kind is None, never an error."""

from __future__ import annotations

import uuid
from datetime import date

MAX_ID = 2**63 - 1
MAX_USER_ID = 2**31 - 1  # the column of people's ids is a smaller one
# Nothing is older, and what is added to a day must not lead out of the calendar.
YEARS = range(1970, 9001)


def as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def as_number(text: str, at_most: int = MAX_ID) -> int | None:
    """A whole number from 0 to `at_most`, in ASCII digits without a sign. What is larger fits in no column."""
    # Python refuses to read thousands of digits, so their count is looked at first.
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID))):
        return None
    number = int(text)
    return number if number <= at_most else None


def as_day(text: str) -> date | None:
    """A day as 2026-03-31, of one of YEARS."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None
