"""Opaque ids: creation and validation."""

from __future__ import annotations

import re
import secrets
import string

from sandbox.errors import invalid_id

_ALPHABET = string.ascii_letters + string.digits
_SUFFIX = re.compile(r"[A-Za-z0-9_-]{1,120}")

EXECUTION = ("vg_exec_", "vg_tool_")
FILE = ("vg_file_",)
VOICE = ("vg_voic_",)
PRESENTER = ("vg_pres_",)
ENTITY = ("vg_enti_",)
WORKFLOW = ("vg_work_",)
IMPORT = ("vg_fimp_",)
ENDPOINT = ("ep_", "wh_endpoint_")


def new_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(22))


def check_id(value: str, prefixes: tuple[str, ...], resource: str) -> str:
    """Return the id; raise a 400 ``invalid_id`` for a wrong prefix or format (docs/api-notes.md#errors)."""
    for prefix in prefixes:
        if value.startswith(prefix) and _SUFFIX.fullmatch(value[len(prefix) :]):
            return value
    raise invalid_id(value, resource)
