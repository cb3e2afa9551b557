"""The API versions and their parameter names (docs/api-notes.md#api-versions).

All versions share one path prefix, so a client cannot request a version: it writes for the configured one.
Inside Rushes, request bodies use the names of version 2; the table below maps them to the other versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

API_VERSIONS = ("0.0", "1.1", "2")

IMAGE_SOURCES = ("vectorize-image", "remove-image-background", "upscale-image", "image-3d-effect")
VIDEO_SOURCES = ("remove-video-background", "upscale-video")

# (tool, version 2 name) -> API version -> its name. Other parameters have the same name in all versions.
NAMES: dict[tuple[str, str], dict[str, str]] = {
    **{(tool, "imageFileId"): dict.fromkeys(("0.0", "1.1"), "imageStorageFileId") for tool in IMAGE_SOURCES},
    **{(tool, "videoFileId"): dict.fromkeys(("0.0", "1.1"), "videoStorageFileId") for tool in VIDEO_SOURCES},
    ("generate-avatar", "audioFileId"): dict.fromkeys(("0.0", "1.1"), "audioStorageFileId"),
    ("generate-video-clip", "videoFileIds"): {"0.0": "videoFileId"},
}
# Parameters that take a single id in these versions and a list in version 2.
SINGLE_ID = {("generate-video-clip", "videoFileIds"): {"0.0"}}


def within(api_version: str, since: str, until: str) -> bool:
    """Whether `api_version` is between `since` and `until`, both included; "" means no bound."""
    position = API_VERSIONS.index(api_version)
    return (
        API_VERSIONS.index(since or API_VERSIONS[0])
        <= position
        <= API_VERSIONS.index(until or API_VERSIONS[-1])
    )


def to_wire(tool: str, body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """Rename the parameters of a request body to those of `api_version`."""
    wire: dict[str, Any] = {}
    for name, value in body.items():
        if api_version in SINGLE_ID.get((tool, name), ()) and isinstance(value, list):
            value = value[0]
        wire[NAMES.get((tool, name), {}).get(api_version, name)] = value
    return wire
