"""Settings of Rushes with Django's own admin beside it, to compare the history with."""

from __future__ import annotations

from dashboard.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.sites.scaled_urls"
# The test client requests pages only, so static files are not collected.
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405
