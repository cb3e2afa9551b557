"""Signed URLs: taken from the snapshot while they are valid, otherwise requested once for all concurrent callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.core import runtime
from executions.files import signed_urls
from executions.models import File
from executions.sync.reconciler import Reconciler
from tests import steps
from tests.conftest import SandboxProcess

HYDRATE = "POST /v1/files/*/hydrate"
SHOWN = ("preview", "download")


async def signed(file: File, renditions: Sequence[str]) -> str:
    """The URL alone; its validity is tested in tests/dashboard/library."""
    url, seconds = await signed_urls.signed_url(file, renditions)
    assert seconds > 0
    return url


def snapshot(remote_id: str, **sources: tuple[str, timedelta | None]) -> dict[str, Any]:
    """A file as VideoGen reports it: for each rendition its URL and how long that is valid (None: without end)."""
    report: dict[str, Any] = {"fileId": remote_id, "type": "IMAGE"}
    for name, (url, validity) in sources.items():
        expires_at = None if validity is None else (timezone.now() + validity).timestamp()
        report[f"{name}Source"] = {"status": "ready", "url": url, "expiresAt": expires_at}
    return report


async def stored(remote_id: str = "vg_file_1", **sources: tuple[str, timedelta | None]) -> File:
    return await runtime.in_db(
        File.objects.create, remote_id=remote_id, snapshot=snapshot(remote_id, **sources) if sources else {}
    )


def hydrations(sandbox: SandboxProcess) -> int:
    """The number of hydrate calls at the sandbox while a fault was active."""
    orders = sandbox.control("GET", "faults")["faults"]
    return sum(order["triggered"] for order in orders if order["match"] == HYDRATE)


@pytest.fixture
async def made(account: SandboxProcess) -> File:
    """The image that a job produced at the sandbox."""
    steps.add_fault(account, "job", "generate-image", seconds=0.05)
    job = await steps.accepted()
    assert job.remote_id is not None
    await steps.sandbox_outcome(account, job.remote_id)
    await steps.make_due(job)
    await Reconciler().process_now(job.pk)
    return await runtime.in_db(File.objects.get, results__execution=job)


# --- stored URLs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "validity", [None, timedelta(seconds=signed_urls.MIN_VALIDITY + 10), timedelta(days=1)]
)
async def test_a_stored_url_that_is_valid_long_enough_is_used(
    account: SandboxProcess, validity: timedelta | None
) -> None:
    file = await stored(preview=("https://media.example/p.jpg", validity))

    assert await signed(file, SHOWN) == "https://media.example/p.jpg"


async def test_the_first_available_rendition_is_used(account: SandboxProcess) -> None:
    hour = timedelta(hours=1)
    both = {"preview": ("https://media.example/p", hour), "download": ("https://media.example/d", hour)}
    file = await stored(**both)

    assert await signed(file, ("download", "preview")) == "https://media.example/d"
    assert await signed(file, ("thumbnail", "preview")) == "https://media.example/p"


# --- requested URLs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "left", [timedelta(seconds=signed_urls.MIN_VALIDITY - 10), timedelta(0), timedelta(days=-1)]
)
async def test_a_url_that_expires_too_soon_is_replaced(made: File, left: timedelta) -> None:
    made.snapshot = snapshot(made.remote_id, download=("https://media.example/old", left))

    url = await signed(made, SHOWN)

    assert url != "https://media.example/old"
    # The new URL is stored, so that the next caller does not request one.
    fresh = await runtime.in_db(File.objects.get, pk=made.pk)
    assert url in [source.get("url") for source in fresh.snapshot.values() if isinstance(source, dict)]
    assert await signed(fresh, SHOWN) == url


async def test_concurrent_callers_share_one_call(account: SandboxProcess, made: File) -> None:
    made.snapshot = {}
    steps.add_fault(account, "slow", HYDRATE, seconds=0.3, count=None)

    urls = await asyncio.gather(*(signed(made, SHOWN) for _ in range(20)))

    assert len(set(urls)) == 1
    assert hydrations(account) == 1


async def test_a_cancelled_caller_does_not_cancel_the_shared_call(
    account: SandboxProcess, made: File
) -> None:
    made.snapshot = {}
    steps.add_fault(account, "slow", HYDRATE, seconds=0.5, count=None)
    impatient = asyncio.create_task(signed(made, SHOWN))
    patient = asyncio.create_task(signed(made, SHOWN))
    for _ in range(2):
        await asyncio.sleep(0)  # lets the loop run; after two turns both are waiting

    impatient.cancel()

    assert (await patient).startswith("http")
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert hydrations(account) == 1


async def test_later_callers_make_a_new_call(account: SandboxProcess, made: File) -> None:
    made.snapshot = {}
    steps.add_fault(account, "slow", HYDRATE, seconds=0.0, count=None)

    for _ in range(2):
        await signed(made, SHOWN)

    assert hydrations(account) == 2


# --- unavailable URLs -----------------------------------------------------------------------------------------


async def test_a_404_means_gone_unless_the_file_is_new(account: SandboxProcess) -> None:
    file = await stored("vg_file_unknown")
    with pytest.raises(signed_urls.NotReady, match="does not know this file yet"):
        await signed(file, SHOWN)
    since = timezone.now() - signed_urls.TRUST_404_AFTER
    await runtime.in_db(File.objects.filter(pk=file.pk).update, created_at=since)
    with pytest.raises(signed_urls.Gone):
        await signed(file, SHOWN)


@pytest.mark.parametrize("kind", ["rate_limited", "unauthorized", "forbidden"])
async def test_after_a_failed_call_the_next_caller_tries_again(
    account: SandboxProcess, made: File, kind: str
) -> None:
    made.snapshot = {}
    steps.add_fault(account, kind, HYDRATE)

    with pytest.raises(signed_urls.NotReady):
        await signed(made, SHOWN)
    assert (await signed(made, SHOWN)).startswith("http")


async def test_a_failed_call_fails_for_all_concurrent_callers(account: SandboxProcess, made: File) -> None:
    made.snapshot = {}
    steps.add_fault(account, "rate_limited", HYDRATE)
    waiting: list[Callable[[], Any]] = [lambda: signed(made, SHOWN)] * 5

    outcomes = await asyncio.gather(*(wait() for wait in waiting), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [signed_urls.NotReady] * 5


async def test_an_unavailable_rendition_is_not_ready(made: File) -> None:
    with pytest.raises(signed_urls.NotReady):
        await signed(made, ("hls",))
