"""What one run of the sandbox was told on its command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ERAS = ("0.0", "1.0", "1.1", "2", "2.5")
"""Releases of the wire format, oldest first (docs/api-notes.md#api-versions)."""

SUPERSET = "superset"
"""The default shape of answers: every field that any era knows (docs/api-notes.md#what-the-sandbox-answers)."""


@dataclass(frozen=True)
class Settings:
    """Times are in seconds; ``speed`` divides the length of jobs and of the webhook retry plan."""

    keys: tuple[str, ...]
    data_dir: Path
    base_url: str
    speed: float = 1.0
    era: str = SUPERSET
    strict_era: bool = False
    concurrency: int = 2
    url_lifetime: float = 3600.0
    upload_lifetime: float = 900.0
    """Of upload URLs, in seconds (docs/api-notes.md#uploads)."""
    largest_upload: int = 2 * 1024**3
    webhook_timeout: float = 15.0

    def knows(self, since: str) -> bool:
        """Whether the era that is spoken is ``since`` or later; the superset knows everything."""
        return self.era == SUPERSET or ERAS.index(self.era) >= ERAS.index(since)

    def still_knows(self, until: str) -> bool:
        """Whether the era that is spoken is ``until`` or earlier; the superset knows everything."""
        return self.era == SUPERSET or ERAS.index(self.era) <= ERAS.index(until)

    @property
    def endpoint_prefix(self) -> str:
        return "ep_" if self.knows("1.1") else "wh_endpoint_"

    @property
    def execution_prefix(self) -> str:
        """``vg_exec_`` in era 0.0 and in the superset, ``vg_tool_`` later (docs/api-notes.md#api-versions)."""
        return "vg_tool_" if self.era != SUPERSET and self.knows("1.0") else "vg_exec_"
