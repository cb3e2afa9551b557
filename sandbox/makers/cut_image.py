"""remove-image-background: the subject on a transparent background, as PNG."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sandbox.art import footage, pictures
from sandbox.art.cutout import subject_mask
from sandbox.makers.base import MakerError, Media, Task


def make(task: Task) -> Media:
    source = task.input("imageStorageFileId", "imageFileId")
    if source is None:
        raise MakerError("There is no input image.", "missing_image")
    try:
        picture = footage.open_picture(source.path, "RGBA")
    except ValueError as error:
        raise MakerError(f"The image could not be used: {error}.", "unreadable_input") from error
    rows = np.array(picture)
    task.report(0.2)
    mask = subject_mask(np.ascontiguousarray(rows[..., :3]), rounds=4 + task.index % 3)
    rows[..., 3] = np.minimum(rows[..., 3], mask)
    task.report(0.7)
    cut = Image.fromarray(rows)
    return Media(
        type="IMAGE",
        display_name=f"{source.display_name} (background removed)",
        download=pictures.save_download(cut, task.folder),
        preview=pictures.save_preview(cut, task.folder),
        thumbnail=pictures.save_thumbnail(cut, task.folder),
        description=f"The subject of {source.display_name} without its background.",
    )
