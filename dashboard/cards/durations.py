"""Durations as text. Templates use these functions as filters."""

from __future__ import annotations


def took(seconds: float | None) -> str:
    """A duration in seconds as text: 0.4 s, 21 s, 1:52, 1:02:03."""
    if seconds is None:
        return "—"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return stopwatch(round(seconds))


def stopwatch(seconds: int) -> str:
    """0:07, 1:52, 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
