"""Reads copies and compares them with their size and hash from when they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from executions.copies import storage as copy_storage
from executions.core import keyset
from executions.models import File

CHUNK_SIZE = 200


def verify() -> Iterator[tuple[File, str]]:
    """Each file that has a copy, oldest first, and the problem with its copy; empty if it is intact."""
    for file in keyset.iterate(File.objects.with_copy(), size=CHUNK_SIZE, by="pk"):
        yield file, _problem(file)


def _problem(file: File) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with copy_storage.storage().open(file.copy_path) as copy:
            while chunk := copy.read(copy_storage.CHUNK_SIZE):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        return "it is not there"
    except Exception as error:
        # Each storage raises its own errors.
        return f"it cannot be read ({type(error).__name__})"
    if size != file.copy_bytes:
        return f"it has {size} bytes, not {file.copy_bytes}"
    return "" if digest.hexdigest() == file.copy_sha256 else "its bytes have changed"
