"""Settings of Rushes with Django's own admin beside it, to compare the history with."""

from __future__ import annotations

from dashboard.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.sites.scaled_urls"
# The client asks the pages themselves: nothing was collected.
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405
