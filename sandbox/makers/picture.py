"""generate-image: a landscape composed from the words of the prompt."""

from __future__ import annotations

from PIL import Image

from sandbox.art import pictures, watermark
from sandbox.art.scene import Scene
from sandbox.makers.base import Media, Task, title

LONG_SIDE = {"LOW": 1024, "STANDARD": 1280, "HIGH": 1600, "MAX": 1920}
REFERENCE_SHARE = 0.45
"""Opacity of the reference image, if there is one."""

_PLACES = {
    "sea": "the sea",
    "forest": "a forest",
    "city": "a city skyline",
    "desert": "desert dunes",
    "space": "outer space",
    "ribbons": "flowing bands of colour",
    "deep": "the world under water",
    "mountains": "mountain ridges",
}
_LIGHTS = {
    "day": "in daylight",
    "sunset": "at sunset",
    "dawn": "at dawn",
    "night": "at night",
    "storm": "under a stormy sky",
    "winter": "in winter light",
    "autumn": "in autumn light",
    "spring": "in spring light",
    "desert": "in hot sunlight",
    "neon": "in neon light",
    "space": "among the stars",
    "deep": "in dim blue light",
}


def make(task: Task) -> Media:
    prompt = task.request["prompt"]
    width, height = pictures.pixels(task.request["aspectRatio"], LONG_SIDE[task.request["quality"]])
    scene = Scene(prompt, task.seed(prompt), width, height)
    task.report(0.4)
    picture = Image.fromarray(scene.frame())
    references = task.input_list("imageFileIds")
    if references:
        picture = _blend_reference(picture, references[task.index % len(references)].path)
    picture = watermark.stamp(picture)
    task.report(0.6)
    return Media(
        type="IMAGE",
        display_name=title(prompt),
        download=pictures.save_download(picture, task.folder),
        preview=pictures.save_preview(picture, task.folder),
        thumbnail=pictures.save_thumbnail(picture, task.folder),
        description=f"{title(prompt, 200)}. A picture of {_PLACES[scene.mood.scene]} {_LIGHTS[scene.mood.light]}.",
    )


def _blend_reference(picture: Image.Image, path: object) -> Image.Image:
    """Blend a reference image into the picture."""
    with Image.open(str(path)) as source:
        reference = source.convert("RGB")
    scale = max(picture.width / reference.width, picture.height / reference.height)
    size = (
        max(picture.width, round(reference.width * scale)),
        max(picture.height, round(reference.height * scale)),
    )
    enlarged = reference.resize(size, Image.Resampling.LANCZOS)
    left, top = (size[0] - picture.width) // 2, (size[1] - picture.height) // 2
    cropped = enlarged.crop((left, top, left + picture.width, top + picture.height))
    return Image.blend(picture, cropped, REFERENCE_SHARE)
