"""The evidence of a job: it is complete, its hashes are correct, and its export is audited."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections, transaction

from executions import tools
from executions.audit import hash_chain, sealing
from executions.audit import record as audit_log
from executions.core import runtime
from executions.exports import evidence
from executions.lifecycle import create, status_machine
from executions.models import Event, Execution, WebhookDelivery
from executions.models.event import ActKind
from executions.sync import external_jobs, submit
from executions.tools import already_validated
from tests import steps
from tests.dashboard.browsers import Browser
from tests.factories.jobs import job
from tests.waiting import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)


async def pack(browser: Browser, pk: Any) -> zipfile.ZipFile:
    answer = await browser.aget(f"/executions/{pk}/evidence.zip")
    assert answer.status_code == 200
    content = b"".join([piece async for piece in answer.streaming_content])
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found


def read_json(found: zipfile.ZipFile, name: str) -> Any:
    return json.loads(found.read(name))


async def test_the_evidence_of_a_succeeded_job_is_complete(account: Any, ann_browser: Browser) -> None:
    made = await completed_job(account, ann_browser)
    await runtime.in_db(
        WebhookDelivery.objects.create, webhook_id="w", outcome="applied", execution=made, body=b'{"a":  1}'
    )
    found = await pack(ann_browser, made.pk)
    manifest = read_json(found, "manifest.json")
    assert manifest["missing"] == []
    assert {each["name"] for each in manifest["files"]} == {*found.namelist()} - {"manifest.json"}
    for each in manifest["files"]:
        content = found.read(each["name"])
        assert (each["bytes"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    media = [name for name in found.namelist() if name.startswith("media/")]
    assert len(media) == 1
    assert found.read(media[0])[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0", b"RIFF")
    assert read_json(found, "job.json")["started_by"] == "ann"
    assert read_json(found, "request.json")["request"]["prompt"] == "a lighthouse"
    assert read_json(found, "answers.json")["start_response"] is not None
    [body] = [name for name in found.namelist() if name.endswith(".body")]
    assert found.read(body) == b'{"a":  1}', "byte for byte as signed"


async def test_anyone_can_recompute_the_hashes(ann_browser: Browser) -> None:
    made = await runtime.in_db(job, ann_browser.user, "refused")
    found = await pack(ann_browser, made.pk)
    events = [json.loads(line) for line in found.read("events.jsonl").splitlines()]
    assert [event["kind"] for event in events] == ["started", "sent", "status", "evidence taken"]
    assert events[-1]["actor"] == "ann", "its own export is included"
    for event in events:
        assert hashlib.sha256(event["text"].encode()).hexdigest() == event["hash"]
        hashed = json.loads(event["text"])
        assert hashed[:3] == [hash_chain.FORMAT, event["position"], event["previous_hash"]]
        assert hashed[3 + hash_chain.COLUMNS.index("kind")] == event["kind"]
    head = read_json(found, "chain.json")["head"]
    assert head == {"position": events[-1]["position"], "hash": events[-1]["hash"]}


def events_of(found: evidence.Evidence) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.texts["events.jsonl"].splitlines()]


def head_of(found: evidence.Evidence) -> int:
    position: int = json.loads(found.texts["chain.json"])["head"]["position"]
    return position


def test_it_waits_for_another_sealer(ann_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    results = iter([False, False, True])
    monkeypatch.setattr(sealing, "try_lock", lambda: next(results, True))
    found = evidence.export(job(ann_browser.user, "refused").pk, ann_browser.user)
    assert all("text" in event for event in events_of(found))
    assert found.missing == []


@pytest.mark.services
def test_it_waits_for_the_sealer_of_another_process(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has only one writer")
    made = job(ann_browser.user, "refused")
    is_held, is_waited_for = threading.Event(), threading.Event()
    try_lock = sealing.try_lock

    def observed_try_lock() -> bool:
        is_mine = try_lock()
        if not is_mine:
            is_waited_for.set()
        return is_mine

    def hold() -> None:
        try:
            with transaction.atomic():
                assert try_lock()
                is_held.set()
                assert is_waited_for.wait(DEADLINE)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(DEADLINE)
    monkeypatch.setattr(sealing, "try_lock", observed_try_lock)
    found = evidence.export(made.pk, ann_browser.user)
    thread.join(DEADLINE)
    assert is_waited_for.is_set()
    assert all("text" in event for event in events_of(found))
    assert found.missing == []


async def test_unsealed_events_are_listed_as_missing(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await runtime.in_db(job, ann_browser.user, "refused")
    await runtime.in_db(sealing.seal_all)
    monkeypatch.setattr(sealing, "try_lock", lambda: False)
    monkeypatch.setattr(evidence, "SEAL_TIMEOUT", 0.1)
    found = await pack(ann_browser, made.pk)
    events = [json.loads(line) for line in found.read("events.jsonl").splitlines()]
    assert ["text" in event for event in events] == [True, True, True, False]
    [missing] = read_json(found, "manifest.json")["missing"]
    assert missing.startswith("events.jsonl: 1 of 4 events is not sealed yet")


def test_no_event_is_after_the_chain_head(ann_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event sealed during the export is either covered by the chain head or not included."""
    read = evidence._events

    def seal_first(execution: Execution) -> Iterator[Any]:
        audit_log.record(ActKind.EVIDENCE_TAKEN, actor_id=ann_browser.user.pk, subject=execution)
        sealing.seal_all()
        return read(execution)

    monkeypatch.setattr(evidence, "_events", seal_first)
    found = evidence.export(job(ann_browser.user, "refused").pk, ann_browser.user)
    assert events_of(found)[-1]["position"] == head_of(found)


async def test_unavailable_media_are_listed_as_missing(ann_browser: Browser) -> None:
    made = await runtime.in_db(job, ann_browser.user, "succeeded")
    found = await pack(ann_browser, made.pk)
    [missing] = read_json(found, "manifest.json")["missing"]
    assert missing.startswith("media/01")


async def test_members_cannot_export_the_evidence_of_others(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    made = await runtime.in_db(job, ann_browser.user, "refused")
    assert (await ben_browser.aget(f"/executions/{made.pk}/evidence.zip")).status_code == 403
    await pack(ada_browser, made.pk)
    taken = await runtime.in_db(lambda: list(Event.objects.filter(kind="evidence taken").values_list("actor", "subject_id")))  # fmt: skip
    assert taken == [(ada_browser.user.pk, str(made.pk))]


async def test_it_contains_no_secret(ann_browser: Browser, settings: Any) -> None:
    made = await runtime.in_db(job, ann_browser.user, "refused")
    found = await pack(ann_browser, made.pk)
    everything = b"".join(found.read(name) for name in found.namelist())
    for secret in (settings.VIDEOGEN_API_KEY, settings.SECRET_KEY, *settings.VIDEOGEN_WEBHOOK_SECRETS):
        assert secret.encode() not in everything


async def completed_job(account: Any, browser: Browser) -> Execution:
    """A job that the sandbox has completed."""
    body = {"prompt": "a lighthouse", "numResults": 1}
    tool = tools.find("generate-image")
    fresh, _ = await runtime.in_db(create.start, tool=tool, body=already_validated(body), actor=browser.user)
    await submit.send(fresh.pk)
    sent = await runtime.in_db(Execution.objects.get, pk=fresh.pk)
    await steps.sandbox_outcome(account, sent.remote_id)
    answer = await runtime.client().get_execution(sent.remote_id)
    await runtime.in_db(status_machine.apply, sent.pk, external_jobs.to_observation(answer))
    return sent


async def test_an_unknown_job_raises() -> None:
    with pytest.raises(Execution.DoesNotExist):
        await runtime.in_db(evidence.collect, "00000000-0000-0000-0000-000000000000")
