"""Settings of Rushes with Django's own admin beside it, to compare the history with."""

from __future__ import annotations

from dashboard.settings import *  # noqa: F403
from dashboard.settings import INSTALLED_APPS as REAL_APPS

ADMIN = "django.contrib.admin"
INSTALLED_APPS = REAL_APPS if ADMIN in REAL_APPS else [*REAL_APPS, ADMIN]
ROOT_URLCONF = "benchmarks.sites.scaled_urls"
# The admin wants its own templates.
TEMPLATES[0]["APP_DIRS"] = True  # noqa: F405
# The client asks the pages themselves: nothing was collected.
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405
