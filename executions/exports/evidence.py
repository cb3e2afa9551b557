"""The evidence of a job as a ZIP: its request, its results, all its events, and their proof from the hash chain.

It shows to third parties what was made, when, and at whose request, without trust in Rushes. The archive is streamed,
like that of a batch. Each event contains the hashed text, so that anyone can compute the hashes with any tool.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import zipfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from django.conf import settings
from django.utils import timezone

from executions import policy, tools
from executions.audit import hash_chain, sealing, verification
from executions.audit import record as audit_log
from executions.core import runtime
from executions.exports.zip_archive import Pipe, SourceError, entry_info, open_source, safe_name
from executions.files import media_http
from executions.models import Event, Execution, File
from executions.models.event import ActKind
from executions.policy import Action, Actor

README = """This archive shows what one job made, and how.

manifest.json   all other files with their size and SHA-256, and a list of anything missing
job.json        the job: who started it, when, and its status
request.json    the request to VideoGen
answers.json    VideoGen's response to the request, and its latest status response
deliveries/     each webhook from VideoGen: the signed headers, and the unmodified body
media/          the results
events.jsonl    all events of the job, one per line, in the order in which they were recorded
chain.json      the head of the hash chain of all events, when this archive was created

How to verify it. The `text` of an event is its content; it begins with the format, the event's position in the chain
and the hash of the event before it. The SHA-256 of that text (UTF-8) is the event's `hash`. `{command}` verifies the
whole chain on the server that created this archive. The head in chain.json must be part of that chain. A later anchor
that was stored on another system proves that nothing was changed. An event without a `text` was not sealed yet when
this archive was created; manifest.json then says so.
"""
# Time to wait for another process that is sealing or pruning.
SEAL_TIMEOUT = 5.0  # seconds


@dataclass
class Evidence:
    """The parts from the database, and the files that are still to be fetched."""

    execution_id: uuid.UUID
    texts: dict[str, bytes]
    files: list[tuple[File, str]]
    missing: list[str] = field(default_factory=list)


def collect(execution_id: uuid.UUID) -> Evidence:
    """Seal the job's events, and read everything stored about it. Raises Execution.DoesNotExist."""
    job = Execution.objects.select_related("created_by", "cancel_requested_by", "batch").get(pk=execution_id)
    results = job.results.select_related("file").order_by("position")
    files = [
        (result.file, f"media/{result.position + 1:02}{safe_name(result.file.display_name)}")
        for result in results
    ]
    sealing.seal_events(Event.objects.about("", str(job.pk)), SEAL_TIMEOUT)
    events = list(_events(job))
    # Read after the events, so that none of them is beyond it.
    head = hash_chain.head()
    last = verification.latest()
    texts = {
        "README.txt": README.format(command="manage.py verify_audit").encode(),
        "job.json": _json(_job(job)),
        "request.json": _json(
            {
                "tool": job.tool,
                "api_version": settings.VIDEOGEN_API_ERA,
                "request": tools.find(job.tool).request(job.request_body, settings.VIDEOGEN_API_ERA),
            }
        ),
        "answers.json": _json({"start_response": job.start_answer, "latest_status_response": job.last_answer}),
        **dict(_deliveries(job)),
        "events.jsonl": b"".join(_line(event) for event in events),
        "chain.json": _json(
            {
                "format": hash_chain.FORMAT,
                "head": {"position": head.position, "hash": head.hash},
                "read_at": timezone.now(),
                "last_verified": {"at": last.at, "position": last.position, "problem": last.problem} if last else None,
            }
        ),
    }  # fmt: skip
    return Evidence(job.pk, texts, files, list(_unsealed_notes(events)))


def _job(job: Execution) -> dict[str, Any]:
    batch = {"id": job.batch_id, "name": job.batch.name} if job.batch else None
    return {
        "id": job.pk,
        "id_at_videogen": job.remote_id,
        "tool": job.tool,
        "origin": job.origin,
        "prompt": job.prompt,
        "started_by": job.created_by.get_username() if job.created_by else None,
        "batch": batch,
        "status": job.status,
        "error": job.error,
        "created_at": job.created_at,
        "sent_at": job.sent_at,
        "accepted_at": job.accepted_at,
        "running_at": job.running_at,
        "ended_at": job.ended_at,
        "cancel_requested_at": job.cancel_requested_at,
        "cancel_requested_by": job.cancel_requested_by.get_username() if job.cancel_requested_by else None,
    }


def _deliveries(job: Execution) -> Iterator[tuple[str, bytes]]:
    for each in job.deliveries.order_by("id"):
        delivery = {
            "id": each.pk,
            "event": each.event,
            "outcome": each.outcome,
            "repeats": each.repeats,
            "occurred_at": each.occurred_at,
            "received_at": each.received_at,
            "headers": each.headers,
            "body_removed_at": each.pruned_at,
        }
        yield f"deliveries/{each.pk}.json", _json(delivery)
        if each.pruned_at is None:
            yield f"deliveries/{each.pk}.body", bytes(each.body)


def _events(job: Execution) -> Iterator[dict[str, Any]]:
    rows = Event.objects.about("", str(job.pk)).order_by("id")
    people = dict(rows.filter(actor__isnull=False).values_list("actor_id", "actor__username"))
    for position, previous, its_hash, *values in rows.values_list(
        "position", "previous_hash", "hash", *hash_chain.COLUMNS
    ):
        event = dict(zip(hash_chain.COLUMNS, values, strict=True))
        event |= {"actor": people.get(event["actor_id"]), "position": position}
        event |= {"previous_hash": previous, "hash": its_hash}
        if position is not None:
            event["text"] = hash_chain.canonical_text(position, previous, values)
        yield event


def _unsealed_notes(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A message about events that are not sealed: they are brand new, or another process held the chain for too long."""
    count = sum(event["position"] is None for event in events)
    if count:
        yield (
            f"events.jsonl: {count} of {len(events)} events {'is' if count == 1 else 'are'} not sealed yet, "
            "and therefore without text and hash. Download the evidence again in a few minutes."
        )


def export(execution_id: uuid.UUID, actor: Actor) -> Evidence:
    """Collect the evidence, and record who took it. Raises NotAllowed or Execution.DoesNotExist."""
    job = Execution.objects.get(pk=execution_id)
    actor_id = policy.require(actor, Action.JOB_EXPORT_EVIDENCE, job)
    audit_log.record(ActKind.EVIDENCE_TAKEN, actor_id=actor_id, subject=job, name=job.prompt or job.tool)
    return collect(execution_id)


async def stream(evidence: Evidence) -> AsyncGenerator[bytes]:
    """The archive, piece by piece. The manifest lists files that could not be read."""
    pipe = Pipe()
    entries: list[dict[str, Any]] = []
    async with media_http.client() as client:
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]  # write-only
            for name, content in evidence.texts.items():
                archive.writestr(entry_info(name), content)
                digest = hashlib.sha256(content).hexdigest()
                entries.append({"name": name, "bytes": len(content), "sha256": digest})
                yield pipe.take()
            for file, stem in evidence.files:
                try:
                    async with aclosing(_media(archive, pipe, client, file, stem, entries)) as pieces:
                        async for piece in pieces:
                            yield piece
                except SourceError as error:
                    evidence.missing.append(f"{stem}: {error}")
                if pipe.parts:
                    yield pipe.take()
            manifest = {
                "job": evidence.execution_id,
                "made_at": timezone.now(),
                "files": entries,
                "missing": evidence.missing,
            }
            archive.writestr(entry_info("manifest.json"), _json(manifest))
    yield pipe.take()


async def _media(
    archive: zipfile.ZipFile,
    pipe: Pipe,
    client: httpx.AsyncClient,
    file: File,
    stem: str,
    entries: list[dict[str, Any]],
) -> AsyncGenerator[bytes]:
    """The entry of one file, hashed while it is written. Raises SourceError."""
    source = await open_source(client, await runtime.in_reader(File.objects.get, pk=file.pk))
    digest, size = hashlib.sha256(), 0
    async with aclosing(source):
        name = stem + source.extension
        with archive.open(entry_info(name), "w", force_zip64=True) as entry:
            async with aclosing(source.pieces()) as pieces:
                async for piece in pieces:
                    digest.update(piece)
                    size += len(piece)
                    entry.write(piece)
                    yield pipe.take()
    entries.append(
        {"name": name, "bytes": size, "sha256": digest.hexdigest(), "id_at_videogen": file.remote_id}
    )


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_to_json).encode("utf-8", "replace") + b"\n"


def _json(value: Any) -> bytes:
    return (
        json.dumps(value, indent=2, ensure_ascii=False, default=_to_json).encode("utf-8", "replace") + b"\n"
    )


def _to_json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
