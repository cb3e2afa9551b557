"""Forms as a browser sends them."""

from __future__ import annotations

import uuid
from typing import Any

IMAGE_FORM = {"prompt": "a lighthouse", "numResults": "1", "aspectRatio": "16:9", "watermarkMode": "AUTO"}


def unique_prompt(about: str = "a lighthouse") -> str:
    """A prompt that no other job has, by which it is found on pages and at the sandbox."""
    return f"{about} {uuid.uuid4().hex[:12]}"


def form(**changes: Any) -> dict[str, Any]:
    """The image form as a browser sends it, with a new key."""
    return {**IMAGE_FORM, "key": uuid.uuid4().hex, **changes}
