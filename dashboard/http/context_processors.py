"""Context for every page: the number of jobs in flight, notices, unread mentions, and the live socket's URL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from dashboard.http.paths import LIVE_PATH
from executions.limits import api_health
from executions.models import Execution
from executions.team import comments
from executions.webhooks import signing_secrets


@dataclass(frozen=True)
class Notice:
    kind: str
    text: str


class Shell:
    """Computed lazily, when a template uses it; error pages use nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def in_flight(self) -> int:
        return Execution.objects.in_flight().count()

    @cached_property
    def unread(self) -> int:
        """Number of comments that mention this person and are unread."""
        user = self.request.user
        return comments.unread_count(user.pk) if user.is_authenticated else 0

    @property
    def live_url(self) -> str:
        """The socket's path with the page's topic; empty for pages without live updates."""
        topic = getattr(self.request, "live_topic", "")
        return f"/{LIVE_PATH}?topic={topic}" if topic else ""

    @cached_property
    def notices(self) -> list[Notice]:
        notices = []
        reason = api_health.key_rejection()
        if reason:
            notices.append(
                Notice(
                    "error",
                    f"VideoGen rejects the API key: {reason} No jobs can start until this is fixed.",
                )
            )
        if settings.USES_SANDBOX:
            notices.append(
                Notice("info", "Sandbox mode: no API key is set, so a local stand-in generates the media.")
            )
        elif not signing_secrets.any_configured():
            notices.append(
                Notice(
                    "warning",
                    "No webhook secret is configured: updates arrive by polling, with a delay.",
                )
            )
        return notices


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"shell": Shell(request)}
