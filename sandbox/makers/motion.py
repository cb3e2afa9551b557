"""generate-motion-graphic: animated text of the prompt, on a transparent or gradient background."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from sandbox.art import film, footage, pictures, watermark
from sandbox.art.film import Frame
from sandbox.art.mood import Palette, mood_of
from sandbox.makers.base import MakerError, Media, Task, title

LONG_SIDE = 960
DEFAULT_SECONDS = 5
FULL_RATE_SECONDS = 20
"""Longer graphics have half the frame rate; otherwise drawing would take longer than the video itself."""


def make(task: Task) -> Media:
    request = task.request
    prompt = request["prompt"]
    seconds = int(request["durationSeconds"] or DEFAULT_SECONDS)
    alpha = bool(request["transparentBackground"])
    fps = 24 if seconds <= FULL_RATE_SECONDS else 12
    size = pictures.pixels(request["aspectRatio"], LONG_SIDE, even=True)
    try:
        images = [
            footage.open_picture(each.path, "RGBA")
            for each in task.input_list("fileIds")
            if each.type == "IMAGE"
        ]
    except ValueError as error:
        raise MakerError(f"An input could not be used: {error}.", "unreadable_input") from error
    card = Card(prompt, mood_of(prompt, task.seed(prompt)).palette, size, images, alpha=alpha)
    count = seconds * fps
    video = film.write(
        card.frames(count, fps),
        size,
        fps,
        task.folder,
        alpha=alpha,
        report=lambda done: task.report(done / count),
    )
    return Media(
        type="VIDEO",
        display_name=title(prompt),
        download=video.download,
        preview=video.preview,
        thumbnail=video.thumbnail,
        hls=video.hls,
        duration=video.duration,
        description=f"{title(prompt, 200)}. An animated graphic with text.",
    )


def display_text(prompt: str) -> str:
    """The quoted text of the prompt, else its first words."""
    quoted = re.findall(r"[\"“„«]([^\"”“»]{1,120})[\"”“»]", prompt)
    words = (" ".join(quoted) or prompt).split()
    return " ".join(words[:14])


def ease(part: float) -> float:
    """Ease-out curve from 0 to 1: fast at first, slow at the end."""
    part = min(1.0, max(0.0, part))
    return 1 - (1 - part) ** 3


class Card:
    """The animation: lines of text that slide in next to a bar, and leave at the end."""

    def __init__(
        self, prompt: str, palette: Palette, size: tuple[int, int], images: list[Image.Image], *, alpha: bool
    ) -> None:
        self.palette, self.size, self.alpha = palette, size, alpha
        self.font_size = size[1] / 9 if size[0] >= size[1] else size[0] / 9
        self.lines = self._wrap(display_text(prompt))
        side = round(self.font_size * 2.2)
        self.images = [footage.fitted(each, (side, side)) for each in images[:4]]
        self.background = self._background()

    def _wrap(self, text: str) -> list[str]:
        """Wrap the text, reducing the font size until there are at most four lines."""
        while True:
            lines = [""]
            for word in text.split():
                longer = f"{lines[-1]} {word}".strip()
                if watermark.font(self.font_size).getlength(longer) <= self.size[0] * 0.8 or not lines[-1]:
                    lines[-1] = longer
                else:
                    lines.append(word)
            widest = max(watermark.font(self.font_size).getlength(line) for line in lines)
            if (len(lines) <= 4 and widest <= self.size[0] * 0.9) or self.font_size < 12:
                return lines[:4]
            self.font_size *= 0.85

    def _background(self) -> Image.Image:
        if self.alpha:
            return Image.new("RGBA", self.size)
        rows = np.linspace(0, 1, self.size[1])[:, None, None]
        top, bottom = np.array(self.palette.top), np.array(self.palette.near)
        shade = np.broadcast_to(top + (bottom - top) * rows, (self.size[1], self.size[0], 3)).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(shade)).convert("RGBA")

    def frames(self, count: int, fps: int) -> Iterator[Frame]:
        mark = watermark.overlay(*self.size)
        for number in range(count):
            picture = self.background.copy()
            self._draw(picture, number / fps, count / fps)
            picture.alpha_composite(mark)
            yield np.asarray(picture if self.alpha else picture.convert("RGB"))

    def _draw(self, picture: Image.Image, now: float, end: float) -> None:
        pace = min(1.0, end / 4)
        leave = ease((now - (end - 0.6 * pace)) / (0.6 * pace))
        step = self.font_size * 1.25
        top = (self.size[1] - step * len(self.lines)) / 2
        left = self.size[0] * 0.1
        pen = ImageDraw.Draw(picture)
        grown = ease(now / (0.7 * pace)) * (1 - leave)
        bar_top = self.size[1] / 2 - step * len(self.lines) / 2 * grown
        bar = (left - self.font_size * 0.45, bar_top, left - self.font_size * 0.27, self.size[1] - bar_top)
        pen.rectangle(bar, fill=(*self.palette.horizon, round(255 * grown)))
        for number, line in enumerate(self.lines):
            appear = ease((now - (0.25 + 0.22 * number) * pace) / (0.7 * pace))
            strength = round(255 * appear * (1 - leave))
            if strength:
                layer = Image.new("RGBA", self.size)
                position = (left + leave * self.font_size, top + number * step + (1 - appear) * step * 0.6)
                ImageDraw.Draw(layer).text(
                    position,
                    line,
                    font=watermark.font(self.font_size),
                    fill=(255, 255, 255, strength),
                    stroke_width=max(1, round(self.font_size / 40)),
                    stroke_fill=(*self.palette.near, strength),
                )
                picture.alpha_composite(layer)
        self._draw_images(picture, now, pace, leave)

    def _draw_images(self, picture: Image.Image, now: float, pace: float, leave: float) -> None:
        """Draw the input images in a row below the text, one after the other."""
        for number, each in enumerate(self.images):
            appear = ease((now - (0.5 + 0.2 * number) * pace) / (0.6 * pace)) * (1 - leave)
            side = round(each.width * appear)
            if side > 1:
                x = round(self.size[0] * 0.1 + number * each.width * 1.15)
                y = self.size[1] - each.height - round(self.font_size * 0.4) + (each.height - side)
                picture.alpha_composite(each.resize((side, side)), (min(x, self.size[0] - side), max(0, y)))
