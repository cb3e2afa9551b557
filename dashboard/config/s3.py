"""The bucket of an S3-compatible service that copies of files are kept in, as Django's settings want it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from dashboard.config.environment import SettingsError


def bucket(name: str, endpoint: str, region: str) -> dict[str, Any]:
    """Keys come from where boto3 looks for them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, the machine."""
    if find_spec("storages") is None or find_spec("boto3") is None:
        raise SettingsError(
            "S3_BUCKET is set, but what speaks S3 is not installed: install requirements-s3.txt too."
        )
    from botocore.config import Config

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": name,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            # A copy has a name of its own: made again, it is the same copy.
            "file_overwrite": True,
            "default_acl": None,
            "querystring_auth": True,
            # A copy that is read here lies on disk meanwhile: by its own default it would be in memory.
            "max_memory_size": 1024 * 1024,
            "client_config": Config(
                signature_version="s3v4",
                connect_timeout=10,
                read_timeout=60,
                retries={"max_attempts": 3, "mode": "standard"},
                # Services that only resemble S3 refuse the newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if endpoint else "auto"},
            ),
        },
    }
