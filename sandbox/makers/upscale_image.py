"""upscale-image: at least twice the resolution, with Lanczos resampling and slight sharpening."""

from __future__ import annotations

from PIL import Image, ImageFilter

from sandbox.art import pictures
from sandbox.makers.base import MakerError, Media, Task
from sandbox.makers.inputs import source_image

FACTOR = 2
TARGET_SIDE = 1920
"""Small images are enlarged to this long side, but at most four times."""
MAX_PIXELS = 60_000_000


def make(task: Task) -> Media:
    source, picture = source_image(task, "RGBA")
    factor = min(4, max(FACTOR, -(-pictures.longest_side(TARGET_SIDE) // max(picture.size))))
    size = picture.width * factor, picture.height * factor
    if size[0] * size[1] > MAX_PIXELS:
        raise MakerError("The image is too large to upscale.", "image_too_large")
    opaque = picture.getchannel("A").getextrema()[0] == 255
    large = (picture.convert("RGB") if opaque else picture).resize(size, Image.Resampling.LANCZOS)
    task.report(0.4)
    large = large.filter(ImageFilter.UnsharpMask(radius=1.6, percent=70, threshold=2))
    return Media(
        type="IMAGE",
        display_name=f"{source.display_name} (upscaled)",
        download=pictures.save_download(large, task.folder),
        preview=pictures.save_preview(large, task.folder),
        thumbnail=pictures.save_thumbnail(large, task.folder),
        description=f"{source.display_name}, upscaled {factor} times.",
    )
