"""upscale-image: at least twice the resolution, by Lanczos and a little sharpening."""

from __future__ import annotations

from PIL import Image, ImageFilter

from sandbox.art import footage, pictures
from sandbox.makers.base import CannotMake, Made, Order

FACTOR = 2
GOOD_SIDE = 1920
"""Small pictures are enlarged further, up to this long side, but at most four times."""
MOST_PIXELS = 60_000_000


def make(order: Order) -> Made:
    source = order.input("imageStorageFileId", "imageFileId")
    if source is None:
        raise CannotMake("There is no image to enlarge.", "missing_image")
    try:
        picture = footage.open_picture(source.path, "RGBA")
    except ValueError as problem:
        raise CannotMake(f"The image could not be used: {problem}.", "unreadable_input") from problem
    factor = min(4, max(FACTOR, -(-pictures.longest_side(GOOD_SIDE) // max(picture.size))))
    size = picture.width * factor, picture.height * factor
    if size[0] * size[1] > MOST_PIXELS:
        raise CannotMake("The image is too large to be enlarged.", "image_too_large")
    opaque = picture.getchannel("A").getextrema()[0] == 255
    large = (picture.convert("RGB") if opaque else picture).resize(size, Image.Resampling.LANCZOS)
    order.report(0.4)
    large = large.filter(ImageFilter.UnsharpMask(radius=1.6, percent=70, threshold=2))
    return Made(
        type="IMAGE",
        display_name=f"{source.display_name} (enlarged)",
        download=pictures.save_download(large, order.folder),
        preview=pictures.save_preview(large, order.folder),
        thumbnail=pictures.save_thumbnail(large, order.folder),
        description=f"{source.display_name}, {factor} times larger.",
    )
