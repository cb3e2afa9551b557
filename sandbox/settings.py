"""Settings of one run of the sandbox, from its command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

API_VERSIONS = ("0.0", "1.0", "1.1", "2", "2.5")
"""API versions, oldest first (docs/api-notes.md#api-versions)."""

MAX_SIDE_VARIABLE = "SANDBOX_LONGEST_SIDE"
"""Environment variable that limits the long side of new images and videos, in pixels."""

SUPERSET = "superset"
"""The default response format: the fields of all API versions (docs/api-notes.md#what-the-sandbox-answers)."""


@dataclass(frozen=True)
class Settings:
    """Times are in seconds. ``speed`` divides the duration of jobs and the webhook retry delays."""

    keys: tuple[str, ...]
    data_dir: Path
    base_url: str
    speed: float = 1.0
    api_version: str = SUPERSET
    strict: bool = False
    """Whether names of other API versions are rejected."""
    concurrency: int = 2
    url_lifetime: float = 3600.0
    upload_lifetime: float = 900.0
    """Lifetime of upload URLs (docs/api-notes.md#uploads)."""
    max_upload_bytes: int = 2 * 1024**3
    webhook_timeout: float = 15.0

    def at_least(self, version: str) -> bool:
        """Whether the API version is ``version`` or later. Always true for the superset."""
        return self.api_version == SUPERSET or _index(self.api_version) >= _index(version)

    def at_most(self, version: str) -> bool:
        """Whether the API version is ``version`` or earlier. Always true for the superset."""
        return self.api_version == SUPERSET or _index(self.api_version) <= _index(version)

    @property
    def media_dir(self) -> Path:
        """The folder with one folder of media for each file."""
        return self.data_dir / "media"

    @property
    def endpoint_prefix(self) -> str:
        return "ep_" if self.at_least("1.1") else "wh_endpoint_"

    @property
    def execution_prefix(self) -> str:
        """``vg_exec_`` in API version 0.0 and in the superset, ``vg_tool_`` later (docs/api-notes.md#api-versions)."""
        return "vg_tool_" if self.api_version != SUPERSET and self.at_least("1.0") else "vg_exec_"


def _index(version: str) -> int:
    return API_VERSIONS.index(version)
