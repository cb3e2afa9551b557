"""The official client uses the sandbox. The fixture validates every response against openapi.yaml."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import httpx
import pytest
from PIL import Image
from videogen import AspectRatio, PronunciationReplacement, VideoGenApi
from videogen.core.api_error import ApiError
from videogen.download_file import download_file
from videogen.get_hydrated_file import get_hydrated_file
from videogen.poll_executed_tool import poll_executed_tool
from videogen.types.executed_tool import ExecutedTool
from videogen.verify_webhook_signature import verify_webhook_signature

from tests.conformance.contract import event_errors
from tests.sandbox.process import SandboxServer
from tests.sandbox.receiver import Receiver


def wait_until_final(client: VideoGenApi, execution_id: str) -> ExecutedTool:
    return poll_executed_tool(client, execution_id, poll_interval_ms=50, timeout_ms=60_000)


def test_an_image_from_start_to_download(official: VideoGenApi, tmp_path: Path) -> None:
    started = official.tools.generate_image(
        prompt="a harbour at dawn",
        quality="STANDARD",
        aspect_ratio=AspectRatio(width=1, height=1),
        num_results=2,
    )
    execution = wait_until_final(official, started.tool_execution_id)
    assert (execution.status, execution.progress_percentage) == ("succeeded", 100)
    assert execution.results is not None
    assert len(execution.results) == 2
    download_file(official, execution.results[0].file_id, str(tmp_path / "image.png"))
    with Image.open(tmp_path / "image.png") as picture:
        assert picture.size == (1280, 1280)


def test_an_image_can_be_made_from_another_image(official: VideoGenApi) -> None:
    first = wait_until_final(
        official, official.tools.generate_image(prompt="x", quality="LOW").tool_execution_id
    )
    assert first.results
    second = official.tools.generate_image(
        prompt="the same, at night", quality="LOW", image_file_ids=[first.results[0].file_id]
    )
    assert wait_until_final(official, second.tool_execution_id).status == "succeeded"


def test_speech_with_a_listed_voice(official: VideoGenApi) -> None:
    voices = official.resources.list_tts_voices(limit=5, include_deprecated_voices=True)
    assert voices.has_more
    more = official.resources.list_tts_voices(cursor=voices.next_cursor)
    voice = next(each for each in more.tts_voices if each.supports_direct_tool_execution)
    started = official.tools.text_to_speech(
        tts_text="One two three.",
        voice_id=voice.voice_id,
        voice_speed=1.5,
        pronunciation_replacements=[PronunciationReplacement(original="two", replacement="too")],
        auto_expand_pronunciation_replacements=True,
        is_output_temporary=True,
    )
    execution = wait_until_final(official, started.tool_execution_id)
    assert execution.results
    file = get_hydrated_file(official, execution.results[0].file_id)
    assert (file.scope, file.transcript) == ("TEMPORARY", "One two three.")
    response = download_file(official, file.file_id)
    assert response is not None
    with wave.open(io.BytesIO(response.content)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(file.duration_seconds, abs=0.01)


def test_a_running_job_can_be_cancelled(official: VideoGenApi) -> None:
    started = official.tools.generate_image(prompt="x", quality="HIGH", num_results=50)
    cancelled = official.tools.cancel_tool_execution(started.tool_execution_id)
    assert cancelled.tool_execution_id == started.tool_execution_id
    assert wait_until_final(official, started.tool_execution_id).status == "cancelled"


def test_a_failed_job_reports_its_error(official: VideoGenApi) -> None:
    started = official.tools.generate_image(prompt="[fail:moderated]", quality="LOW")
    execution = wait_until_final(official, started.tool_execution_id)
    assert execution.status == "failed"
    assert execution.error is not None
    assert execution.error.code == "moderated"


def test_jobs_and_files_are_listed_page_by_page(official: VideoGenApi) -> None:
    for number in range(4):
        official.tools.text_to_speech(tts_text=f"number {number}", voice_id=_voice(official))
    first = official.tools.list_tool_executions(limit=2)
    second = official.tools.list_tool_executions(limit=2, cursor=first.next_cursor, self_only=True)
    seen = [each.tool_execution_id for page in (first, second) for each in page.tool_executions]
    assert len(set(seen)) == 4
    wait_until_final(official, seen[0])
    files = official.files.get_files(limit=1)
    assert official.files.get_file(files.files[0].file_id).file_id == files.files[0].file_id
    assert official.files.hydrate_file(files.files[0].file_id).download_source is not None


def _voice(official: VideoGenApi) -> str:
    return official.resources.list_tts_voices().tts_voices[0].voice_id


def test_the_account_names_its_team(official: VideoGenApi) -> None:
    assert official.account.get_me().team_id.startswith("vg_team_")


def test_webhooks_are_signed_and_match_the_contract(official: VideoGenApi, running: SandboxServer) -> None:
    receiver = Receiver()
    events = [f"tool_execution.{outcome}" for outcome in ("succeeded", "failed", "cancelled")]
    events += ["file.download_ready", "file.analysis_completed"]
    endpoint = official.webhooks.create_webhook_endpoint(url=receiver.url, events=events, description="test")
    try:
        assert endpoint.signing_secret is not None
        running.start(prompt="a hill")
        running.start(prompt="[fail]")
        running.client.post(f"/v1/tools/executions/{running.start(prompt='x', numResults=80)}/cancel")
        received = receiver.wait(lambda seen: {each.data["event"] for each in seen} == set(events))
        for message in received:
            verify_webhook_signature(message.body.decode(), message.headers, endpoint.signing_secret)
            assert event_errors(message.data) == []
        listed = official.webhooks.list_webhook_endpoints().endpoints
        assert endpoint.endpoint_id in [each.endpoint_id for each in listed]
        assert all(each.signing_secret is None for each in listed)
    finally:
        official.webhooks.delete_webhook_endpoint(endpoint.endpoint_id)
        receiver.close()


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda client: client.tools.generate_image(prompt="", quality="LOW"), 400),
        (lambda client: client.tools.generate_image(prompt="x", quality="LOW", watermark_mode="NONE"), 403),
        (lambda client: client.tools.get_tool_execution_info("vg_exec_missing"), 404),
        (lambda client: client.tools.get_tool_execution_info("vg_file_wrong"), 400),
        (lambda client: client.files.get_file("vg_file_missing"), 404),
        (lambda client: client.webhooks.delete_webhook_endpoint("ep_missing"), 404),
        (lambda client: client.files.get_files(cursor="nonsense"), 400),
    ],
)
def test_errors_have_the_documented_status(official: VideoGenApi, call, status: int) -> None:
    with pytest.raises(ApiError) as error:
        call(official)
    assert error.value.status_code == status


def test_an_invalid_key_is_rejected(running: SandboxServer) -> None:
    with httpx.Client() as client, pytest.raises(ApiError) as error:
        VideoGenApi(base_url=running.url, token="wrong", httpx_client=client).account.get_me()
    assert error.value.status_code == 401
