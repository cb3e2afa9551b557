"""Every operation of the official client: those of the contract work, the others return API errors."""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from videogen import VideoGenApi
from videogen.core.api_error import ApiError
from videogen.download_file import download_file
from videogen.poll_executed_tool import poll_executed_tool
from videogen.poll_public_preview import poll_public_preview
from videogen.poll_workflow_run import poll_workflow_run
from videogen.types.storage_file import StorageFile
from videogen.types.workflow_visual_style import WorkflowVisualStyle
from videogen.upload_file import upload_file
from videogen.verify_webhook_signature import verify_webhook_signature

from tests.conformance.contract import event_errors
from tests.sandbox.media import film, png, wav
from tests.sandbox.process import SandboxServer
from tests.sandbox.receiver import Receiver
from tests.waiting import eventually

OUTSIDE = {
    "entities": {
        "list_entities": {"entity_type": "ACTOR"},
        "create_entity": {"entity_type": "ACTOR", "name": "x"},
        "get_entity": {"entity_id": "vg_enti_x"},
        "update_entity": {"entity_id": "vg_enti_x", "name": "y"},
        "archive_entity": {"entity_id": "vg_enti_x"},
        "add_entity_reference": {"entity_id": "vg_enti_x", "file_id": "vg_file_x"},
        "remove_entity_reference": {"entity_id": "vg_enti_x", "file_id": "vg_file_x"},
    },
    "projects": {
        "list_projects": {},
        "get_project": {"project_id": "vg_proj_x"},
        "export_project": {"project_id": "vg_proj_x"},
        "get_project_export": {"project_id": "vg_proj_x", "export_id": "x"},
        "remix_project": {"project_id": "vg_proj_x", "remix_actions": []},
        "list_project_remix_actions": {"project_id": "vg_proj_x"},
    },
    "text": {"generate_text": {"prompt": "x"}},
    "resources": {"list_languages": {}},
    "workflows": {"storyboard_to_video": {}, "generate_scenes_from_storyboard": {}},
}
"""Operations of the package without a path in the contract, with arguments that reach the server."""


def file_of(client: VideoGenApi, execution_id: str) -> StorageFile:
    execution = poll_executed_tool(client, execution_id, poll_interval_ms=100, timeout_ms=120_000)
    assert execution.status == "succeeded", execution
    assert execution.results
    return client.files.hydrate_file(execution.results[0].file_id)


@pytest.fixture(scope="module")
def inputs(running: SandboxServer) -> dict[str, str]:
    """Ids of one uploaded file of each type, as inputs of tools and workflows."""
    contents = {
        "IMAGE": ("a.png", png(320, 180, "teal")),
        "VIDEO": ("a.mp4", film(1)),
        "AUDIO": ("a.wav", wav(1.5)),
        "PDF": ("a.pdf", b"%PDF-1.4\n%%EOF"),
    }
    ids = {}
    for kind, (name, content) in contents.items():
        created = running.client.post("/v1/files/upload", json={"displayName": name, "type": kind}).json()
        httpx.put(created["uploadUrl"], content=content).raise_for_status()
        ids[kind] = running.wait_for_file(created["fileId"])["fileId"]
    return ids


@pytest.mark.parametrize(
    ("call", "arguments", "source", "kind"),
    [
        (
            "generate_sound_effect",
            {"prompt": "rain", "duration_seconds": 2, "prompt_influence": 0.5},
            {},
            "AUDIO",
        ),
        ("generate_music", {"prompt": "calm piano"}, {}, "AUDIO"),
        (
            "generate_video_clip",
            {"prompt": "x", "quality": "STANDARD", "duration_seconds": 1, "generate_audio": True},
            {},
            "VIDEO",
        ),
        ("vectorize_image", {}, {"image_storage_file_id": "IMAGE"}, "IMAGE"),
        ("remove_image_background", {}, {"image_storage_file_id": "IMAGE"}, "IMAGE"),
        ("upscale_image", {}, {"image_storage_file_id": "IMAGE"}, "IMAGE"),
        ("image3d_effect", {}, {"image_storage_file_id": "IMAGE"}, "VIDEO"),
        ("upscale_video", {}, {"video_storage_file_id": "VIDEO"}, "VIDEO"),
        ("remove_video_background", {}, {"video_storage_file_id": "VIDEO"}, "VIDEO"),
        ("generate_avatar", {}, {"audio_storage_file_id": "AUDIO"}, "VIDEO"),
    ],
)
def test_each_tool_makes_a_file_of_its_type(
    official: VideoGenApi,
    inputs: dict[str, str],
    call: str,
    arguments: dict[str, Any],
    source: dict[str, str],
    kind: str,
) -> None:
    fields = arguments | {name: inputs[file_type] for name, file_type in source.items()}
    if call == "generate_avatar":
        voice = official.resources.list_tts_voices().tts_voices[0]
        presenters = official.resources.list_avatar_presenters(voice_id=voice.voice_id, limit=1)
        assert presenters.has_more
        fields["avatar_presenter_id"] = presenters.avatar_presenters[0].avatar_presenter_id
    started = (
        getattr(official.tools, call)(**fields, watermark_mode="AUTO")
        if kind != "AUDIO"
        else getattr(official.tools, call)(**fields)
    )
    assert file_of(official, started.tool_execution_id).type == kind


def test_a_file_can_be_uploaded_with_the_helper(official: VideoGenApi, tmp_path: Path) -> None:
    content = png(400, 300)
    file = upload_file(
        official, io.BytesIO(content), display_name="scan.png", type="IMAGE", poll_interval_ms=100
    )
    assert (file.type, file.scope, file.display_name) == ("IMAGE", "GLOBAL", "scan.png")
    download_file(official, file.file_id, str(tmp_path / "scan.png"))
    assert (tmp_path / "scan.png").read_bytes() == content


def test_a_file_can_be_uploaded_in_single_steps(official: VideoGenApi) -> None:
    created = official.files.create_file_upload(display_name="a.wav", type="AUDIO", is_temporary=True)
    assert httpx.put(created.upload_url, content=wav()).status_code == 200
    file = eventually(
        lambda: official.files.hydrate_file(created.file_id),
        lambda seen: seen.download_source is not None and seen.download_source.status == "ready",
    )
    assert (file.type, file.scope) == ("AUDIO", "TEMPORARY")


def test_a_file_can_be_searched_for_and_archived(official: VideoGenApi) -> None:
    file = upload_file(official, io.BytesIO(png()), display_name="a copper samovar.png", poll_interval_ms=100)
    eventually(lambda: official.files.get_file(file.file_id).description, bool)
    hits = official.files.search_files(query="copper samovar", num_results=3, self_only=True).results
    assert hits[0].file.file_id == file.file_id
    assert hits[0].similarity > 0.7
    assert official.files.archive_file(file.file_id).file_id == file.file_id
    assert file.file_id not in [each.file_id for each in official.files.get_files(limit=200).files]


def test_every_type_of_file_can_have_a_public_preview(official: VideoGenApi, inputs: dict[str, str]) -> None:
    for kind in ("IMAGE", "AUDIO", "VIDEO"):
        official.files.enable_public_preview(inputs[kind])
        preview = poll_public_preview(official, inputs[kind], poll_interval_ms=100)
        assert httpx.get(preview["public_preview_url"]).status_code == 200
        assert (preview["public_playback_id"] is None) == (kind == "IMAGE")
        assert not official.files.disable_public_preview(inputs[kind]).is_public_preview_enabled


@pytest.mark.parametrize("start", ["script_to_video", "voiceover_to_video", "slideshow_to_video"])
def test_a_workflow_run_succeeds(official: VideoGenApi, inputs: dict[str, str], start: str) -> None:
    style = WorkflowVisualStyle(type="STOCK")
    arguments: dict[str, Any] = {
        "script_to_video": {"script": "A day at the sea.", "visual_style": style},
        "voiceover_to_video": {"file_id": inputs["AUDIO"], "visual_style": style},
        "slideshow_to_video": {"file_id": inputs["PDF"]},
    }[start]
    started = getattr(official.workflows, start)(**arguments)
    execution = poll_workflow_run(official, started.workflow_run_id, poll_interval_ms=100, timeout_ms=60_000)
    assert (execution.status, execution.progress_percentage) == ("succeeded", 100)
    assert official.workflows.get_workflow_run(started.workflow_run_id).project_id == started.project_id
    assert execution.workflow_type == start.upper()
    listed = official.workflows.list_workflow_runs(limit=5, self_only=True)
    assert started.workflow_run_id in [each.workflow_run_id for each in listed.workflow_runs]


def test_workflow_runs_fail_or_are_cancelled_and_send_events(
    official: VideoGenApi, running: SandboxServer
) -> None:
    receiver = Receiver()
    events = [f"workflow_run.{outcome}" for outcome in ("succeeded", "failed", "cancelled")]
    endpoint = official.webhooks.create_webhook_endpoint(url=receiver.url, events=events)
    style = WorkflowVisualStyle(type="AI_IMAGE", ai_style="ink")
    try:
        failing = official.workflows.script_to_video(script="[fail:no_rights] x", visual_style=style)
        exported = running.client.post(
            "/v1/workflows/script-to-video",
            json={"script": "Hello.", "visualStyle": {"type": "STOCK"}, "autoExport": True},
        ).json()["workflowRunId"]
        running.client.put(
            "/sandbox/faults",
            json={
                "faults": [{"kind": "job", "match": "SCRIPT_TO_VIDEO", "seconds": 60, "count": 1}],
                "limits": {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000},
            },
        ).raise_for_status()
        cancelled = official.workflows.script_to_video(script="x", visual_style=style)
        response = official.workflows.cancel_workflow_run(cancelled.workflow_run_id)
        assert response.workflow_run_id == cancelled.workflow_run_id
        received = receiver.wait(lambda seen: {each.data["event"] for each in seen} == set(events))
        events_by_name = {message.data["event"]: message for message in received}
        for message in received:
            assert event_errors(message.data) == []
            assert endpoint.signing_secret is not None
            verify_webhook_signature(message.body.decode(), message.headers, endpoint.signing_secret)
        assert events_by_name["workflow_run.failed"].data["workflowRunId"] == failing.workflow_run_id
        assert events_by_name["workflow_run.failed"].data["error"]["code"] == "no_rights"
        assert events_by_name["workflow_run.cancelled"].data["workflowRunId"] == cancelled.workflow_run_id
        success = events_by_name["workflow_run.succeeded"].data
        assert success["workflowRunId"] == exported
        assert httpx.get(success["downloadUrl"]).headers["content-type"] == "video/mp4"
        export_file_id = success["exportFileId"]
        assert export_file_id not in running.client.get("/v1/files?limit=200").text
        assert export_file_id in running.client.get("/v1/files?limit=200&includeExportFiles=true").text
    finally:
        official.webhooks.delete_webhook_endpoint(endpoint.endpoint_id)
        receiver.close()


@pytest.mark.parametrize("group", sorted(OUTSIDE))
def test_operations_outside_the_contract_are_not_found(running: SandboxServer, group: str) -> None:
    with httpx.Client(timeout=30, trust_env=False) as http:
        client = VideoGenApi(base_url=running.url, token="test-key", httpx_client=http, max_retries=0)
        for name, arguments in OUTSIDE[group].items():
            call = getattr(getattr(client, group), name)
            parameters = inspect.signature(call).parameters
            if any(
                each.default is inspect.Parameter.empty and each.name not in arguments
                for each in parameters.values()
            ):
                # The arguments are models of the package; the path alone matters.
                response = http.post(
                    f"{running.url}/v1/workflows/{name.replace('_', '-')}",
                    headers={"Authorization": "Bearer test-key"},
                )
                assert (response.status_code, response.json()["message"]) == (404, "Workflow not found.")
                continue
            with pytest.raises(ApiError) as error:
                call(**{key: value for key, value in arguments.items() if key in parameters})
            assert error.value.status_code == 404, name


def test_every_operation_of_the_client_is_covered(official: VideoGenApi) -> None:
    """Each operation is named here, in the other conformance tests, or in ``OUTSIDE``."""
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py"))
    )
    groups = (
        "account",
        "entities",
        "files",
        "projects",
        "resources",
        "text",
        "tools",
        "webhooks",
        "workflows",
    )
    # Three workflows also have their names of API version 1.0.
    old = {
        "add_visuals_narrations_and_captions_to_script",
        "add_visuals_and_captions_to_voiceover",
        "add_narration_transitions_and_captions_to_slideshow",
    }
    missing = [
        f"{group}.{name}"
        for group in groups
        for name, value in inspect.getmembers(getattr(official, group), inspect.ismethod)
        if not name.startswith("_") and name not in sources and name not in old
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("content", "kind", "status"), [(png(), "IMAGE", "succeeded"), (b"\0\1\2", None, "failed")]
)
def test_a_file_can_be_imported_from_a_url(
    running: SandboxServer, content: bytes, kind: str | None, status: str
) -> None:
    created = running.client.post("/v1/files/upload", json={"displayName": "source"}).json()
    httpx.put(created["uploadUrl"], content=content if kind else png()).raise_for_status()
    file = running.wait_for_file(created["fileId"])
    url = file["downloadSource"]["url"] if kind else f"{running.url}/gone.png"
    body = {"url": url, "displayName": "copied.png"}
    started = running.client.post("/v1/files/import-url", json=body)
    assert started.status_code == 202
    path = f"/v1/files/imports/{started.json()['fileImportId']}"
    execution = eventually(
        lambda: running.client.get(path).json(), lambda seen: seen["status"] in ("succeeded", "failed")
    )
    assert execution["status"] == status, execution
    if kind:
        assert running.client.get(f"/v1/files/{execution['fileId']}").json()["type"] == kind
    else:
        assert execution["error"]["message"] == "The address responded with 404."
