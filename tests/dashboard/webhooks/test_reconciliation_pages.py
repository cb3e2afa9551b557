"""The pages and the command of the daily reconciliation."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from executions.models import DailyReconciliation
from tests.dashboard.browsers import Browser, text
from tests.factories.jobs import job

URL = "/settings/closings/"


def test_reconciled_days_are_listed_with_their_differences(
    ada_browser: Browser, ann_browser: Browser
) -> None:
    queued = job(ann_browser.user)
    difference = {"kind": "unconfirmed", "remote_id": "", "job": str(queued.pk), "tool": "generate-image"}
    differing = DailyReconciliation.objects.create(
        day=date(2026, 5, 20),
        reconciled_at=timezone.now(),
        here=411,
        there=412,
        differences=[difference | {"here": "unconfirmed", "there": ""}],
    )
    DailyReconciliation.objects.create(
        day=date(2026, 5, 19), reconciled_at=timezone.now(), here=412, there=412
    )

    page = text(ada_browser.get(URL))
    assert "20 May 2026 1 difference 412 411" in page
    assert "19 May 2026 agrees 412 412" in page
    one = ada_browser.get(f"{URL}{differing.pk}/")
    assert f"/executions/{queued.pk}/" in one.content.decode()
    assert "Link it to one of the account's jobs" in text(one)


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("", "Choose a day."),
        ("tomorrow", "Choose a day."),
        ("2026-13-40", "Choose a day."),
        ("9999-12-31", "Choose a day."),
        ("0001-01-01", "Choose a day."),
        ("\x00", "Choose a day."),
        ("2026-05-20" * 1000, "Choose a day."),
        ("8999-12-31", "31 December 8999 is not over yet (in UTC)."),
        ("1970-01-01", "VideoGen did not exist in 1970."),
    ],
)
def test_a_day_that_cannot_be_reconciled_is_refused_with_a_message(
    ada_browser: Browser, day: str, message: str
) -> None:
    answer = ada_browser.post(URL, {"day": day}, follow=True)

    assert answer.status_code == 200
    assert message in text(answer)


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-40", "9999-12-31"])
def test_the_command_refuses_an_invalid_day(settings: Any, day: str) -> None:
    settings.USES_SANDBOX = False

    with pytest.raises(CommandError, match=r"^--day must be a date such as 2026-11-24, not "):
        call_command("close_day", "--day", day)
