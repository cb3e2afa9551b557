"""Copies in a bucket of an S3 server (moto): stored, checked, served, and errors reported."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.exports import zip_archive
from executions.models import File
from tests.dashboard.browsers import Browser
from tests.executions.copies import copying
from tests.executions.files.media import png
from tests.executions.files.media_server import serving

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto.server")
BUCKET = "rushes-copies"
# More than one part of a multipart upload.
LARGE = png(padding=9 * 1024 * 1024)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, settings: Any, monkeypatch: Any, transactional_db: None) -> Any:
    from dashboard.config.s3 import bucket

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests-only")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests-only-too")
    settings.STORAGES = {**settings.STORAGES, "copies": bucket(BUCKET, endpoint, "eu-west-1")}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="eu-west-1")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield client
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=each["Key"])
    client.delete_bucket(Bucket=BUCKET)


async def gone(made: File) -> None:
    changes = {"gone_at": timezone.now(), "snapshot": {}}
    await runtime.in_db(File.objects.filter(pk=made.pk).update, **changes)


async def test_a_copy_is_stored_in_the_bucket(bucket: Any) -> None:
    async with serving(LARGE) as media:
        made = await copying.make_copy(await runtime.in_db(media.file))
    assert made.copy_sha256 == hashlib.sha256(LARGE).hexdigest()
    there = bucket.get_object(Bucket=BUCKET, Key=made.copy_path)
    assert there["ContentType"] == "image/png"
    assert there["Body"].read() == LARGE
    assert copying.stored_files() == [], "no part is left"


async def test_links_redirect_to_a_signed_url_of_the_bucket(bucket: Any, ann_browser: Browser) -> None:
    async with serving(LARGE) as media:
        made = await copying.make_copy(await runtime.in_db(media.file))
    await gone(made)
    for kind, disposition in (("preview", "inline"), ("download", "attachment")):
        answer = await ann_browser.aget(f"/files/{made.pk}/{kind}")
        assert answer.status_code == 302
        async with httpx.AsyncClient(trust_env=False) as browser:
            part = {"Range": "bytes=0-99"}
            media_answer = await browser.get(answer["Location"], headers=part)
        assert media_answer.status_code == 206
        assert media_answer.content == LARGE[:100]
        assert media_answer.headers["content-type"] == "image/png"
        assert media_answer.headers["content-disposition"] == f'{disposition}; filename="The pier.png"'


async def test_a_batch_archive_reads_the_bucket(bucket: Any) -> None:
    async with serving(LARGE) as media:
        made = await copying.make_copy(await runtime.in_db(media.file))
    await gone(made)
    pieces = [piece async for piece in zip_archive.stream([zip_archive.Entry(made.pk, "001 pier")])]
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archived:
        assert archived.read("001 pier.png") == LARGE


async def test_a_missing_bucket_is_reported_and_retried(bucket: Any, settings: Any) -> None:
    from dashboard.config.s3 import bucket as named

    missing = named("no-such-bucket", settings.STORAGES["copies"]["OPTIONS"]["endpoint_url"], "eu-west-1")
    before = settings.STORAGES
    settings.STORAGES = {**before, "copies": missing}
    async with serving(LARGE) as media:
        made = await runtime.in_db(media.file)
        from executions.copies import requests as copy_requests

        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        made = await copying.attempt(made)
        row = await copying.request_row(made)
        assert made.copied_at is None
        assert "The storage did not accept the copy" in row["problem"]
        assert row["due_at"] > timezone.now()
        settings.STORAGES = before
        made = await copying.attempt(made)
    assert made.copied_at is not None
    assert len(media.heads) == 1, "a complete part is not downloaded again"
