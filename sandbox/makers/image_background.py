"""remove-image-background: the subject on a transparent background, as PNG."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sandbox.art import pictures
from sandbox.art.cutout import subject_mask
from sandbox.makers.base import Media, Task
from sandbox.makers.inputs import source_image


def make(task: Task) -> Media:
    source, picture = source_image(task, "RGBA")
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
