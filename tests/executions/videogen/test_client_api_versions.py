"""Parameters that a client never sends because its API version lacks them."""

from __future__ import annotations

from executions.videogen import VideoGen
from tests.executions.videogen.misbehaving_service import Service, responds

LISTS = ("ttsVoices", "avatarPresenters", "endpoints", "files")


async def test_a_version_without_paging_gets_no_paging_parameters(service: Service) -> None:
    service.respond_with(*(responds(200, {name: []}) for name in LISTS))
    async with VideoGen(api_key="any-key", base_url=service.url, has_paging=False) as client:
        await client.list_voices()
        await client.list_presenters()
        await client.list_webhook_endpoints()
        await client.list_files()

    assert [request.target.partition("?")[2] for request in service.requests] == [""] * 4


async def test_a_cursor_is_followed_even_without_paging(service: Service) -> None:
    file = {"fileId": "vg_file_1"}
    service.respond_with(
        responds(200, {"files": [file], "hasMore": True, "nextCursor": "c2"}), responds(200, {"files": []})
    )
    async with VideoGen(api_key="any-key", base_url=service.url, has_paging=False) as client:
        found = [each.file_id async for each in client.all_files()]

    assert found == ["vg_file_1"]
    assert [request.target for request in service.requests] == ["/v1/files", "/v1/files?cursor=c2"]
