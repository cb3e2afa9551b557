"""How Rushes names the sources of its events."""

from __future__ import annotations

from executions.models.event import Source

SOURCE_LABELS = {
    Source.PERSON: "person",
    Source.WEBHOOK: "webhook",
    Source.POLL: "poll",
    Source.RESPONSE: "response",
    Source.SYSTEM: "Rushes",
}
