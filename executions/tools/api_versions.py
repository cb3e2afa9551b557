"""The eras of the API: what each one has, and what it calls things (docs/api-notes.md#api-versions).

The path prefix is the same in all of them, so a client cannot ask for a version: it writes for one that is
configured. Inside Rushes a body has the names of era 2; the table below says what others call them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

API_VERSIONS = ("0.0", "1.1", "2")

IMAGE_SOURCES = ("vectorize-image", "remove-image-background", "upscale-image", "image-3d-effect")
VIDEO_SOURCES = ("remove-video-background", "upscale-video")

# (tool, our name) -> era -> its name. What is not here is called the same everywhere.
NAMES: dict[tuple[str, str], dict[str, str]] = {
    **{(tool, "imageFileId"): dict.fromkeys(("0.0", "1.1"), "imageStorageFileId") for tool in IMAGE_SOURCES},
    **{(tool, "videoFileId"): dict.fromkeys(("0.0", "1.1"), "videoStorageFileId") for tool in VIDEO_SOURCES},
    ("generate-avatar", "audioFileId"): dict.fromkeys(("0.0", "1.1"), "audioStorageFileId"),
    ("generate-video-clip", "videoFileIds"): {"0.0": "videoFileId"},
}
# Those of them that are one id where we have a list.
SINGLE = {("generate-video-clip", "videoFileIds"): {"0.0"}}


def within(api_version: str, since: str, until: str) -> bool:
    """Whether something that came with `since` and went after `until` is there in `era`; "" is open."""
    position = API_VERSIONS.index(api_version)
    return (
        API_VERSIONS.index(since or API_VERSIONS[0])
        <= position
        <= API_VERSIONS.index(until or API_VERSIONS[-1])
    )


def to_wire(tool: str, body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """A request body in the names of `era`."""
    written: dict[str, Any] = {}
    for name, value in body.items():
        if api_version in SINGLE.get((tool, name), ()) and isinstance(value, list):
            value = value[0]
        written[NAMES.get((tool, name), {}).get(api_version, name)] = value
    return written
