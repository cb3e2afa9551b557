"""The import of the account's files: from the sandbox, and from lists of every awkward shape."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.models import File, FileImport
from executions.sync import file_import
from executions.videogen import ApiPage, InvalidRequest, RemoteFile, ServerError, VideoGen
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file
from tests.waiting import until


class Account:
    """A paged list of files, as the client reads it, latest change first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, page: int = 200) -> None:
        self.files: list[dict[str, Any]] = []
        self.page = page
        self.calls = 0
        self.trouble: Callable[[str | None], Exception | None] = lambda cursor: None
        monkeypatch.setattr(VideoGen, "list_files", self.list_files)

    def make(self, count: int, **fields: Any) -> None:
        for _ in range(count):
            number = len(self.files)
            self.files.insert(0, {"fileId": f"vg_file_{number}", "displayName": f"{number:05}", "type": "IMAGE", "scope": "GLOBAL", **fields})  # fmt: skip

    async def list_files(self, limit: int = 200, cursor: str | None = None) -> ApiPage[RemoteFile]:
        self.calls += 1
        if trouble := self.trouble(cursor):
            raise trouble
        # A cursor names the last file of the previous page (keyset paging).
        ids = [each["fileId"] for each in self.files]
        start = ids.index(cursor) + 1 if cursor else 0
        taken = self.files[start : start + self.page]
        more = start + self.page < len(self.files)
        return ApiPage(tuple(map(RemoteFile.from_wire, taken)), taken[-1]["fileId"] if more else None)


@pytest.fixture
async def listed(account: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


async def in_library() -> list[str]:
    return await runtime.in_db(
        lambda: list(File.objects.in_library().newest_first().values_list("display_name", flat=True))
    )


async def again() -> int:
    """Run another round now."""
    await runtime.in_db(file_import.request_sync, policy.SYSTEM)
    return await file_import.run()


async def test_files_made_outside_rushes_are_imported(account: Any) -> None:
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
    assert await file_import.run() == 0, "it is not due yet"


async def test_the_order_of_the_list_is_kept_across_pages_and_rounds(
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


async def test_new_files_sort_first_while_older_ones_are_still_read(
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


async def test_more_new_files_than_a_round_reads_leave_no_gap(
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


async def test_an_expired_cursor_restarts_the_list(listed: Account, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_an_error_of_the_list_is_shown_and_retried(listed: Account, people: Any) -> None:
    listed.trouble = lambda cursor: ServerError("VideoGen is down.")
    assert await file_import.run() == 0
    progress = await runtime.in_db(file_import.state)
    assert (progress.problem, progress.leased_until) == ("VideoGen is down.", None)
    listed.trouble = lambda cursor: None
    listed.make(1)
    assert await again() == 1
    assert (await runtime.in_db(file_import.state)).problem == ""


async def test_two_processes_do_not_read_concurrently(listed: Account) -> None:
    assert await runtime.in_db(file_import.claim) is not None
    assert await runtime.in_db(file_import.claim) is None
    late = timezone.now() - timedelta(seconds=1)
    await runtime.in_db(FileImport.objects.update, leased_until=late)
    assert await runtime.in_db(file_import.claim) is not None, "the claim of a dead worker expires"


async def test_empty_values_of_the_list_do_not_overwrite_ours(listed: Account, people: Any) -> None:
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
    assert found.snapshot["downloadSource"] == url, "the list's URLs are older than ours"
    assert found.archived_at is not None


@pytest.mark.parametrize("is_open", [True, False])
async def test_public_previews_changed_outside_rushes_are_recorded(is_open: bool, listed: Account) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    since = None if is_open else long_ago
    await runtime.in_db(file, "vg_file_0", type="VIDEO", public_since=since, updated_at=long_ago)
    listed.make(1, isPublicPreviewEnabled=is_open)
    listed.make(1, isPublicPreviewEnabled=is_open)
    await file_import.run()
    public = await runtime.in_db(lambda: set(File.objects.public().values_list("remote_id", flat=True)))
    assert public == ({"vg_file_0", "vg_file_1"} if is_open else set())


async def test_our_recent_change_is_newer_than_the_list(listed: Account) -> None:
    await runtime.in_db(file, "vg_file_0", type="VIDEO", public_since=timezone.now())
    listed.make(1, isPublicPreviewEnabled=False)
    await file_import.run()
    assert await runtime.in_db(File.objects.public().count) == 1


async def test_the_number_of_queries_does_not_grow_with_the_page(listed: Account) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries(count: int) -> int:
        wires = [
            RemoteFile.from_wire({"fileId": f"vg_file_{count}_{n}", "type": "IMAGE"}) for n in range(count)
        ]
        with CaptureQueriesContext(connection) as captured:
            file_import.store_page(wires, timezone.now(), 0)
        return len(captured)

    assert await runtime.in_db(queries, 2) == await runtime.in_db(queries, 150)


async def test_the_page_shows_the_progress(listed: Account, ann_browser: Browser) -> None:
    assert "made outside Rushes have not been synced yet" in text(await ann_browser.aget("/files/"))
    await file_import.run()
    assert "Includes files made outside Rushes" in text(await ann_browser.aget("/files/"))
    listed.trouble = lambda cursor: ServerError("VideoGen is down.")
    await again()
    assert "could not be synced: VideoGen is down." in text(await ann_browser.aget("/files/"))
    answer = await ann_browser.apost("/files/sync/")
    assert answer.status_code == 303
    assert (await runtime.in_db(file_import.state)).ran_at is None
