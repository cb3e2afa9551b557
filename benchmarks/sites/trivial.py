"""Settings of Rushes with a view that does nothing, to compare the receiver with."""

from __future__ import annotations

from dashboard.settings import *  # noqa: F403
from dashboard.settings import MIDDLEWARE as REAL_MIDDLEWARE

ROOT_URLCONF = "benchmarks.sites.trivial_urls"
MIDDLEWARE = ["benchmarks.sites.trivial_urls.bare_first", *REAL_MIDDLEWARE]
