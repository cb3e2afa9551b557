"""Signed addresses: taken from what is known while they are good, else asked for once for all who want them."""

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
from tests.conftest import SandboxProcess
from tests.executions import service

HYDRATE = "POST /v1/files/*/hydrate"
SHOWN = ("preview", "download")


async def address(file: File, renditions: Sequence[str]) -> str:
    """Where it is; how long the address is good for is tested in tests/dashboard/library."""
    url, seconds = await signed_urls.signed_url(file, renditions)
    assert seconds > 0
    return url


def snapshot(remote_id: str, **sources: tuple[str, timedelta | None]) -> dict[str, Any]:
    """A file as VideoGen tells it: for each rendition its address and how long that lives (None: for ever)."""
    told: dict[str, Any] = {"fileId": remote_id, "type": "IMAGE"}
    for name, (url, lives) in sources.items():
        expires_at = None if lives is None else (timezone.now() + lives).timestamp()
        told[f"{name}Source"] = {"status": "ready", "url": url, "expiresAt": expires_at}
    return told


async def kept(remote_id: str = "vg_file_1", **sources: tuple[str, timedelta | None]) -> File:
    return await runtime.in_db(
        File.objects.create, remote_id=remote_id, snapshot=snapshot(remote_id, **sources) if sources else {}
    )


def hydrations(sandbox: SandboxProcess) -> int:
    """How often the service was asked for fresh addresses while a fault watched."""
    orders = sandbox.control("GET", "faults")["faults"]
    return sum(order["struck"] for order in orders if order["match"] == HYDRATE)


@pytest.fixture
async def made(account: SandboxProcess) -> File:
    """A picture that the service made, as its job's result."""
    service.order(account, "job", "generate-image", seconds=0.05)
    job = await service.started()
    assert job.remote_id is not None
    await service.in_thread(service.ended_there, account, job.remote_id)
    await service.due_now(job)
    await Reconciler().process_now(job.pk)
    return await runtime.in_db(File.objects.get, results__execution=job)


# --- what is known already ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lives", [None, timedelta(seconds=signed_urls.MARGIN + 10), timedelta(days=1)])
async def test_an_address_that_is_good_for_long_enough_is_handed_out(
    account: SandboxProcess, lives: timedelta | None
) -> None:
    file = await kept(preview=("https://media.example/p.jpg", lives))

    assert await address(file, SHOWN) == "https://media.example/p.jpg"


async def test_the_first_of_the_wanted_renditions_is_taken(account: SandboxProcess) -> None:
    hour = timedelta(hours=1)
    both = {"preview": ("https://media.example/p", hour), "download": ("https://media.example/d", hour)}
    file = await kept(**both)

    assert await address(file, ("download", "preview")) == "https://media.example/d"
    assert await address(file, ("thumbnail", "preview")) == "https://media.example/p"


# --- what has to be asked for ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "left", [timedelta(seconds=signed_urls.MARGIN - 10), timedelta(0), timedelta(days=-1)]
)
async def test_an_address_that_ends_too_soon_is_asked_for_anew(made: File, left: timedelta) -> None:
    made.snapshot = snapshot(made.remote_id, download=("https://media.example/old", left))

    url = await address(made, SHOWN)

    assert url != "https://media.example/old"
    # What was told is written down: the next one does not ask.
    fresh = await runtime.in_db(File.objects.get, pk=made.pk)
    assert url in [source.get("url") for source in fresh.snapshot.values() if isinstance(source, dict)]
    assert await address(fresh, SHOWN) == url


async def test_all_who_ask_at_the_same_time_share_one_call(account: SandboxProcess, made: File) -> None:
    made.snapshot = {}
    service.order(account, "slow", HYDRATE, seconds=0.3, count=None)

    urls = await asyncio.gather(*(address(made, SHOWN) for _ in range(20)))

    assert len(set(urls)) == 1
    assert hydrations(account) == 1


async def test_one_who_gives_up_does_not_cut_the_call_for_the_others(
    account: SandboxProcess, made: File
) -> None:
    made.snapshot = {}
    service.order(account, "slow", HYDRATE, seconds=0.5, count=None)
    impatient = asyncio.create_task(address(made, SHOWN))
    patient = asyncio.create_task(address(made, SHOWN))
    for _ in range(2):
        await asyncio.sleep(0)  # a turn of the loop; after two both have begun to wait

    impatient.cancel()

    assert (await patient).startswith("http")
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert hydrations(account) == 1


async def test_who_asks_later_asks_anew(account: SandboxProcess, made: File) -> None:
    made.snapshot = {}
    service.order(account, "slow", HYDRATE, seconds=0.0, count=None)

    for _ in range(2):
        await address(made, SHOWN)

    assert hydrations(account) == 2


# --- what cannot be had ---------------------------------------------------------------------------------------


async def test_a_file_that_is_gone_is_said_to_be_gone(account: SandboxProcess) -> None:
    file = await kept("vg_file_never_heard_of")
    with pytest.raises(signed_urls.NotReady, match="does not know this file yet"):
        await address(file, SHOWN)
    since = timezone.now() - signed_urls.YOUNG
    await runtime.in_db(File.objects.filter(pk=file.pk).update, created_at=since)
    with pytest.raises(signed_urls.Gone):
        await address(file, SHOWN)


@pytest.mark.parametrize("kind", ["rate_limited", "unauthorized", "forbidden"])
async def test_a_service_that_gives_no_address_is_asked_again_later(
    account: SandboxProcess, made: File, kind: str
) -> None:
    made.snapshot = {}
    service.order(account, kind, HYDRATE)

    with pytest.raises(signed_urls.NotReady):
        await address(made, SHOWN)
    assert (await address(made, SHOWN)).startswith("http")


async def test_a_failed_call_fails_all_who_shared_it(account: SandboxProcess, made: File) -> None:
    made.snapshot = {}
    service.order(account, "rate_limited", HYDRATE)
    waiting: list[Callable[[], Any]] = [lambda: address(made, SHOWN)] * 5

    outcomes = await asyncio.gather(*(wait() for wait in waiting), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [signed_urls.NotReady] * 5


async def test_a_rendition_that_there_is_not_is_not_ready(made: File) -> None:
    with pytest.raises(signed_urls.NotReady):
        await address(made, ("hls",))
