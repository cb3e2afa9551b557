"""vectorize-image: the picture traced into an SVG by vtracer."""

from __future__ import annotations

import io
import re

import vtracer

from sandbox.art import footage, pictures
from sandbox.makers.base import CannotMake, Form, Made, Order

TRACED_SIDE = 640
"""Pictures are made this small before tracing: the colours matter, not the grain."""


def make(order: Order) -> Made:
    source = order.input("imageStorageFileId", "imageFileId")
    if source is None:
        raise CannotMake("There is no image to trace.", "missing_image")
    try:
        picture = footage.open_picture(source.path, "RGBA")
    except ValueError as problem:
        raise CannotMake(f"The image could not be used: {problem}.", "unreadable_input") from problem
    small = picture.copy()
    small.thumbnail((TRACED_SIDE, TRACED_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    order.report(0.2)
    svg = vtracer.convert_raw_image_to_svg(
        buffer.getvalue(),
        img_format="png",
        filter_speckle=4 + order.index % 4,
        color_precision=6,
        layer_difference=20,
        path_precision=2,
    )
    (order.folder / "original.svg").write_text(_scalable(svg, picture.size, small.size), encoding="utf-8")
    return Made(
        type="IMAGE",
        display_name=f"{source.display_name} (vector)",
        download=Form("original.svg", "image/svg+xml", *picture.size),
        preview=pictures.save_preview(small, order.folder),
        thumbnail=pictures.save_thumbnail(small, order.folder),
        description=f"A vector drawing traced from {source.display_name}.",
    )


def _scalable(svg: str, size: tuple[int, int], drawn: tuple[int, int]) -> str:
    """The drawing as large as the original, with a view box, so that it scales."""
    head = f'<svg width="{size[0]}" height="{size[1]}" viewBox="0 0 {drawn[0]} {drawn[1]}"'
    return re.sub(
        r'<svg( version="[^"]*")?( xmlns="[^"]*")( width="[^"]*" height="[^"]*")', rf"{head}\2", svg, count=1
    )
