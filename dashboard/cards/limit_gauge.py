"""An hourly limit as a gauge: how much is used, and when it resets."""

from __future__ import annotations

from dataclasses import dataclass

from executions.limits import rate_limits
from executions.limits.rate_limits import LimitState
from executions.videogen import Group

# The groups' names on pages.
NAMES: dict[str, str] = {
    Group.TOOLS: "Starts",
    Group.EXECUTION: "Job status reads",
    Group.EXECUTIONS: "Job list reads",
    Group.CANCEL: "Cancels",
    Group.FILES: "Reading files",
    Group.HYDRATE: "Fresh file links",
    Group.UPLOAD: "Uploads",
    Group.SEARCH: "Searches by content",
    Group.ARCHIVE: "Archiving",
    Group.PREVIEW: "Public previews",
    Group.RESOURCES: "Voices and presenters",
    Group.ENDPOINTS: "Reading webhook endpoints",
    Group.CREATE_ENDPOINT: "New webhook endpoints",
    Group.DELETE_ENDPOINT: "Deleted webhook endpoints",
    Group.ME: "The account",
}


@dataclass(frozen=True)
class Gauge:
    state: LimitState

    @property
    def name(self) -> str:
        return NAMES.get(self.state.group, self.state.group)

    @property
    def percent(self) -> float | None:
        """Of the hour's calls, those that are used."""
        if self.state.used is None or not self.state.limit:
            return None
        return 100 * self.state.used / self.state.limit

    @property
    def is_used_up(self) -> bool:
        return self.state.remaining == 0

    @property
    def hue(self) -> str:
        """Red when nothing is left, amber when a batch has to wait."""
        remaining, limit = self.state.remaining, self.state.limit
        if remaining is None or limit is None:
            return "queued"
        if self.is_used_up:
            return "failed"
        return "pending" if remaining <= rate_limits.reserve(limit) else "running"
