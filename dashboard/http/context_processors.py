"""What every page shows around its own content: the count in flight, notices, and the socket to listen on."""

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
    """Computed when a template asks for it; error pages ask for nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def in_flight(self) -> int:
        return Execution.objects.in_flight().count()

    @cached_property
    def unread(self) -> int:
        """Comments that name this person and that they have not seen."""
        user = self.request.user
        return comments.unread(user.pk) if user.is_authenticated else 0

    @property
    def live_url(self) -> str:
        """The socket's path with what this page shows; empty for pages without live parts."""
        topic = getattr(self.request, "live_topic", "")
        return f"/{LIVE_PATH}?topic={topic}" if topic else ""

    @cached_property
    def notices(self) -> list[Notice]:
        notices = []
        refused = api_health.key_refused()
        if refused:
            notices.append(
                Notice(
                    "error",
                    f"VideoGen refuses our key: {refused} Nothing can be started until it is put right.",
                )
            )
        if settings.USES_SANDBOX:
            notices.append(
                Notice("info", "This is a stand-in: no API key is set, so a local sandbox makes the media.")
            )
        elif not signing_secrets.any_configured():
            notices.append(
                Notice(
                    "warning",
                    "No webhook secret is configured, so updates come by asking alone, and later than they could.",
                )
            )
        return notices


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"shell": Shell(request)}
