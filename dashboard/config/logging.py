"""The format of log lines, and the masking of secrets in them."""

from __future__ import annotations

import logging
import re

from django.conf import settings
from django.views.debug import SafeExceptionReporterFilter

MASK = "[secret]"


class Formatter(logging.Formatter):
    """Time, level, logger, message. Configured secrets are masked wherever they appear."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in _secrets():
            line = line.replace(secret, MASK)
        return line


def _secrets() -> list[str]:
    known = (
        settings.VIDEOGEN_API_KEY,
        settings.METRICS_TOKEN,
        settings.SECRET_KEY,
        *settings.ENCRYPTION_KEYS,
        *settings.VIDEOGEN_WEBHOOK_SECRETS,
    )
    return [secret for secret in known if secret]


class ReporterFilter(SafeExceptionReporterFilter):
    """Also hides settings whose URLs may contain a password from Django's debug pages."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|URL$|CACHES|CHANNEL_LAYERS",
        SafeExceptionReporterFilter.hidden_settings.flags,
    )
