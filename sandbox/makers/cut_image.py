"""remove-image-background: the subject on transparency, as PNG."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sandbox.art import footage, pictures
from sandbox.art.cutout import subject_mask
from sandbox.makers.base import CannotMake, Made, Order


def make(order: Order) -> Made:
    source = order.input("imageStorageFileId", "imageFileId")
    if source is None:
        raise CannotMake("There is no image to cut out.", "missing_image")
    try:
        picture = footage.open_picture(source.path, "RGBA")
    except ValueError as problem:
        raise CannotMake(f"The image could not be used: {problem}.", "unreadable_input") from problem
    rows = np.array(picture)
    order.report(0.2)
    mask = subject_mask(np.ascontiguousarray(rows[..., :3]), rounds=4 + order.index % 3)
    rows[..., 3] = np.minimum(rows[..., 3], mask)
    order.report(0.7)
    cut = Image.fromarray(rows)
    return Made(
        type="IMAGE",
        display_name=f"{source.display_name} (cut out)",
        download=pictures.save_download(cut, order.folder),
        preview=pictures.save_preview(cut, order.folder),
        thumbnail=pictures.save_thumbnail(cut, order.folder),
        description=f"The subject of {source.display_name} without its background.",
    )
