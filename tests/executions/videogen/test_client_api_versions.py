"""Parameters that a client never sends because its API version lacks them."""

from __future__ import annotations

from executions.videogen import VideoGen
from tests.executions.videogen.misbehaving_service import Service, answers

LISTS = ("ttsVoices", "avatarPresenters", "endpoints", "files")


async def test_an_account_that_knows_no_pages_is_asked_for_none(service: Service) -> None:
    service.will(*(answers(200, {name: []}) for name in LISTS))
    async with VideoGen(api_key="any-key", base_url=service.url, has_paging=False) as client:
        await client.list_voices()
        await client.list_presenters()
        await client.list_webhook_endpoints()
        await client.list_files()

    assert [asked.target.partition("?")[2] for asked in service.asked] == [""] * 4


async def test_one_that_tells_of_a_next_page_all_the_same_is_read_on(service: Service) -> None:
    file = {"fileId": "vg_file_1"}
    service.will(
        answers(200, {"files": [file], "hasMore": True, "nextCursor": "c2"}), answers(200, {"files": []})
    )
    async with VideoGen(api_key="any-key", base_url=service.url, has_paging=False) as client:
        found = [each.file_id async for each in client.each_file()]

    assert found == ["vg_file_1"]
    assert [asked.target for asked in service.asked] == ["/v1/files", "/v1/files?cursor=c2"]
