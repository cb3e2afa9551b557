"""The Django storage settings for copies in a bucket of an S3-compatible service."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from dashboard.config.environment import SettingsError


def bucket(name: str, endpoint: str, region: str) -> dict[str, Any]:
    """boto3 finds the credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the machine's role."""
    if find_spec("storages") is None or find_spec("boto3") is None:
        raise SettingsError(
            "S3_BUCKET is set, but the S3 packages are not installed: install requirements-s3.txt."
        )
    from botocore.config import Config

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": name,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            # Names are unique to a copy, so writing one again replaces the same content.
            "file_overwrite": True,
            "default_acl": None,
            "querystring_auth": True,
            # Buffer a copy that is read on disk; the default is memory.
            "max_memory_size": 1024 * 1024,
            "client_config": Config(
                signature_version="s3v4",
                connect_timeout=10,
                read_timeout=60,
                retries={"max_attempts": 3, "mode": "standard"},
                # Some S3-compatible services reject the newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if endpoint else "auto"},
            ),
        },
    }
