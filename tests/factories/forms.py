"""Forms as a browser sends them."""

from __future__ import annotations

import uuid
from typing import Any

IMAGE_FORM = {"prompt": "a lighthouse", "numResults": "1", "aspectRatio": "16:9", "watermarkMode": "AUTO"}


def form(**changes: Any) -> dict[str, Any]:
    """The image form as a browser sends it, with a new key."""
    return {**IMAGE_FORM, "key": uuid.uuid4().hex, **changes}
