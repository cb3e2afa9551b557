"""The account's own files come into the library: from the real sandbox, and from lists of every awkward shape."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.models import AccountWalk, File
from executions.sync import file_import
from executions.videogen import File as WireFile
from executions.videogen import InvalidRequest, Page, ServerError, VideoGen
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file
from tests.waiting import until


class Account:
    """A list of files in pages, as the client reads it; the newest change stands first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, page: int = 200) -> None:
        self.files: list[dict[str, Any]] = []
        self.page = page
        self.calls = 0
        self.trouble: Callable[[str | None], Exception | None] = lambda cursor: None
        monkeypatch.setattr(VideoGen, "list_files", self.list_files)

    def make(self, count: int, **told: Any) -> None:
        for _ in range(count):
            number = len(self.files)
            self.files.insert(0, {"fileId": f"vg_file_{number}", "displayName": f"{number:05}", "type": "IMAGE", "scope": "GLOBAL", **told})  # fmt: skip

    async def list_files(self, limit: int = 200, cursor: str | None = None) -> Page[WireFile]:
        self.calls += 1
        if trouble := self.trouble(cursor):
            raise trouble
        # A cursor names the file after which the page begins, as a keyset does.
        ids = [each["fileId"] for each in self.files]
        start = ids.index(cursor) + 1 if cursor else 0
        taken = self.files[start : start + self.page]
        more = start + self.page < len(self.files)
        return Page(tuple(map(WireFile.from_wire, taken)), taken[-1]["fileId"] if more else None)


@pytest.fixture
async def listed(account: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


async def in_library() -> list[str]:
    return await runtime.in_db(
        lambda: list(File.objects.in_library().newest_first().values_list("display_name", flat=True))
    )


async def again() -> int:
    """One more round, at once."""
    await runtime.in_db(file_import.request_sync, policy.SYSTEM)
    return await file_import.run()


async def test_what_was_made_elsewhere_comes_in(account: Any) -> None:
    body = {"prompt": "a pier at night", "numResults": 2}
    started = account.call("POST", "/v1/tools/generate-image", body).json()["toolExecutionId"]

    async def made() -> Any:
        return account.call("GET", f"/v1/tools/executions/{started}").json().get("results")

    ids = {result["fileId"] for result in await until(made)}
    assert await file_import.run() >= 2
    files = await runtime.in_db(lambda: list(File.objects.filter(remote_id__in=ids)))
    assert {each.origin for each in files} == {"account"}
    assert {(each.type, each.state, each.source_tool) for each in files} == {
        ("IMAGE", "ready", "generate-image")
    }
    assert all(each.display_name for each in files)
    assert await file_import.run() == 0, "it is not due again"


async def test_the_lists_order_is_kept_over_pages_and_rounds(
    listed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_import, "MAX_PAGES", 3)
    listed.page = 10
    listed.make(95)
    wanted = [each["displayName"] for each in listed.files]
    assert await file_import.run() == 30
    assert await in_library() == wanted[:30]
    rounds = 1
    while not (await runtime.in_db(file_import.state)).completed_at:
        await again()
        rounds += 1
        assert rounds < 10
    assert await in_library() == wanted
    calls = listed.calls
    assert await again() == 0
    assert listed.calls == calls + 1, "where everything is known one page is enough"


async def test_new_files_come_on_top_while_the_rest_is_still_read(
    listed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_import, "MAX_PAGES", 2)
    listed.page = 10
    listed.make(60)
    await file_import.run()
    listed.make(5)
    await again()
    wanted = [each["displayName"] for each in listed.files]
    assert (await in_library())[:15] == wanted[:15]
    for _ in range(6):
        await again()
    assert await in_library() == wanted


async def test_more_new_files_than_one_round_reads_leave_no_gap(
    listed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_import, "MAX_PAGES", 2)
    listed.page = 10
    listed.make(10)
    await file_import.run()
    listed.make(70)
    for _ in range(8):
        await again()
    assert sorted(await in_library()) == sorted(each["displayName"] for each in listed.files)


async def test_a_place_that_is_no_longer_known_starts_the_list_anew(
    listed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_import, "MAX_PAGES", 2)
    listed.page = 10
    listed.make(50)
    await file_import.run()
    listed.trouble = lambda cursor: InvalidRequest("no such cursor") if cursor == "vg_file_30" else None
    await again()
    listed.trouble = lambda cursor: None
    for _ in range(8):
        await again()
    assert len(await in_library()) == 50


async def test_a_list_that_fails_is_said_and_tried_again(listed: Account, people: Any) -> None:
    listed.trouble = lambda cursor: ServerError("VideoGen is down.")
    assert await file_import.run() == 0
    walk = await runtime.in_db(file_import.state)
    assert (walk.problem, walk.leased_until) == ("VideoGen is down.", None)
    listed.trouble = lambda cursor: None
    listed.make(1)
    assert await again() == 1
    assert (await runtime.in_db(file_import.state)).problem == ""


async def test_two_processes_do_not_read_at_once(listed: Account) -> None:
    assert await runtime.in_db(file_import.claim) is not None
    assert await runtime.in_db(file_import.claim) is None
    late = timezone.now() - timedelta(seconds=1)
    await runtime.in_db(AccountWalk.objects.update, leased_until=late)
    assert await runtime.in_db(file_import.claim) is not None, "a dead one's claim ends"


async def test_what_we_know_of_a_file_is_not_lost(listed: Account, people: Any) -> None:
    listed.make(1, description="A pier at night.", isPublicPreviewEnabled=False)
    url = {"status": "ready", "url": "https://media.example.org/signed", "expiresAt": 4102444800}
    known = await runtime.in_db(
        file, "vg_file_0", display_name="old", type="IMAGE", origin="upload", created_by=people.ann,
        snapshot={"fileId": "vg_file_0", "downloadSource": url}, archived_at=timezone.now(),
    )  # fmt: skip
    assert await file_import.run() == 0
    found = await runtime.in_db(File.objects.get, pk=known.pk)
    assert (found.display_name, found.description) == ("00000", "A pier at night.")
    assert (found.origin, found.created_by_id) == ("upload", people.ann.pk)
    assert found.snapshot["downloadSource"] == url, "the list's addresses are older than ours"
    assert found.archived_at is not None


@pytest.mark.parametrize("is_open", [True, False])
async def test_what_was_opened_or_closed_elsewhere_is_in_the_register(is_open: bool, listed: Account) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    since = None if is_open else long_ago
    await runtime.in_db(file, "vg_file_0", type="VIDEO", public_since=since, updated_at=long_ago)
    listed.make(1, isPublicPreviewEnabled=is_open)
    listed.make(1, isPublicPreviewEnabled=is_open)
    await file_import.run()
    public = await runtime.in_db(lambda: set(File.objects.public().values_list("remote_id", flat=True)))
    assert public == ({"vg_file_0", "vg_file_1"} if is_open else set())


async def test_an_act_of_this_moment_is_newer_than_the_list(listed: Account) -> None:
    await runtime.in_db(file, "vg_file_0", type="VIDEO", public_since=timezone.now())
    listed.make(1, isPublicPreviewEnabled=False)
    await file_import.run()
    assert await runtime.in_db(File.objects.public().count) == 1


async def test_queries_do_not_grow_with_the_page(listed: Account) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries(count: int) -> int:
        wires = [
            WireFile.from_wire({"fileId": f"vg_file_{count}_{n}", "type": "IMAGE"}) for n in range(count)
        ]
        with CaptureQueriesContext(connection) as captured:
            file_import.store_page(wires, timezone.now(), 0)
        return len(captured)

    assert await runtime.in_db(queries, 2) == await runtime.in_db(queries, 150)


async def test_the_page_says_how_far_it_is(listed: Account, ann_browser: Browser) -> None:
    assert "made elsewhere are looked for" in text(await ann_browser.aget("/files/"))
    await file_import.run()
    assert "made elsewhere are here too" in text(await ann_browser.aget("/files/"))
    listed.trouble = lambda cursor: ServerError("VideoGen is down.")
    await again()
    assert "could not be read: VideoGen is down." in text(await ann_browser.aget("/files/"))
    answer = await ann_browser.apost("/files/sync/")
    assert answer.status_code == 303
    assert (await runtime.in_db(file_import.state)).ran_at is None
