"""vectorize-image: the image traced to SVG with vtracer."""

from __future__ import annotations

import io
import re

import vtracer

from sandbox.art import pictures
from sandbox.makers.base import Media, RenditionFile, Task
from sandbox.makers.inputs import source_image

TRACED_SIDE = 640
"""Images are reduced to this long side before tracing, since fine detail is not needed."""


def make(task: Task) -> Media:
    source, picture = source_image(task, "RGBA")
    small = picture.copy()
    small.thumbnail((TRACED_SIDE, TRACED_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    task.report(0.2)
    svg = vtracer.convert_raw_image_to_svg(
        buffer.getvalue(),
        img_format="png",
        filter_speckle=4 + task.index % 4,
        color_precision=6,
        layer_difference=20,
        path_precision=2,
    )
    (task.folder / "original.svg").write_text(_set_size(svg, picture.size, small.size), encoding="utf-8")
    return Media(
        type="IMAGE",
        display_name=f"{source.display_name} (vector)",
        download=RenditionFile("original.svg", "image/svg+xml", *picture.size),
        preview=pictures.save_preview(small, task.folder),
        thumbnail=pictures.save_thumbnail(small, task.folder),
        description=f"A vector image traced from {source.display_name}.",
    )


def _set_size(svg: str, size: tuple[int, int], traced: tuple[int, int]) -> str:
    """Set the size of the original image and a view box, so that the SVG scales."""
    head = f'<svg width="{size[0]}" height="{size[1]}" viewBox="0 0 {traced[0]} {traced[1]}"'
    return re.sub(
        r'<svg( version="[^"]*")?( xmlns="[^"]*")( width="[^"]*" height="[^"]*")', rf"{head}\2", svg, count=1
    )
