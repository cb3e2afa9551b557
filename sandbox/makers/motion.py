"""generate-motion-graphic: the words of the prompt in motion, on transparency or on a gradient."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from sandbox.art import caption, film, footage, pictures
from sandbox.art.film import Frame
from sandbox.art.mood import Palette, mood_of
from sandbox.makers.base import CannotMake, Made, Order, title

LONG_SIDE = 960
USUAL_SECONDS = 5
SHORT_SECONDS = 20
"""Longer graphics have fewer frames per second: they take longer to draw than to watch otherwise."""


def make(order: Order) -> Made:
    request = order.request
    prompt = request["prompt"]
    seconds = int(request["durationSeconds"] or USUAL_SECONDS)
    alpha = bool(request["transparentBackground"])
    fps = 24 if seconds <= SHORT_SECONDS else 12
    size = pictures.pixels(request["aspectRatio"], LONG_SIDE, even=True)
    try:
        shown = [
            footage.open_picture(each.path, "RGBA")
            for each in order.input_list("fileIds")
            if each.type == "IMAGE"
        ]
    except ValueError as problem:
        raise CannotMake(f"An input could not be used: {problem}.", "unreadable_input") from problem
    card = Card(prompt, mood_of(prompt, order.seed(prompt)).palette, size, shown, alpha=alpha)
    count = seconds * fps
    made = film.write(
        card.frames(count, fps),
        size,
        fps,
        order.folder,
        alpha=alpha,
        report=lambda done: order.report(done / count),
    )
    return Made(
        type="VIDEO",
        display_name=title(prompt),
        download=made.download,
        preview=made.preview,
        thumbnail=made.thumbnail,
        hls=made.hls,
        duration=made.duration,
        description=f"{title(prompt, 200)}. An animated graphic with type.",
    )


def shown_text(prompt: str) -> str:
    """What is in quotation marks, if anything is; else the prompt's first words."""
    quoted = re.findall(r"[\"“„«]([^\"”“»]{1,120})[\"”“»]", prompt)
    words = (" ".join(quoted) or prompt).split()
    return " ".join(words[:14])


def ease(part: float) -> float:
    """0 to 1, quick at first and gentle at the end."""
    part = min(1.0, max(0.0, part))
    return 1 - (1 - part) ** 3


class Card:
    """The drawing: lines of type that rise into place over a bar, and leave at the end."""

    def __init__(
        self, prompt: str, palette: Palette, size: tuple[int, int], shown: list[Image.Image], *, alpha: bool
    ) -> None:
        self.palette, self.size, self.alpha = palette, size, alpha
        self.type_size = size[1] / 9 if size[0] >= size[1] else size[0] / 9
        self.lines = self._wrapped(shown_text(prompt))
        side = round(self.type_size * 2.2)
        self.shown = [footage.fitted(each, (side, side)) for each in shown[:4]]
        self.back = self._background()

    def _wrapped(self, text: str) -> list[str]:
        """Lines that fit; the type gets smaller until there are at most four."""
        while True:
            lines = [""]
            for word in text.split():
                longer = f"{lines[-1]} {word}".strip()
                if caption.font(self.type_size).getlength(longer) <= self.size[0] * 0.8 or not lines[-1]:
                    lines[-1] = longer
                else:
                    lines.append(word)
            widest = max(caption.font(self.type_size).getlength(line) for line in lines)
            if (len(lines) <= 4 and widest <= self.size[0] * 0.9) or self.type_size < 12:
                return lines[:4]
            self.type_size *= 0.85

    def _background(self) -> Image.Image:
        if self.alpha:
            return Image.new("RGBA", self.size)
        rows = np.linspace(0, 1, self.size[1])[:, None, None]
        top, bottom = np.array(self.palette.top), np.array(self.palette.near)
        shade = np.broadcast_to(top + (bottom - top) * rows, (self.size[1], self.size[0], 3)).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(shade)).convert("RGBA")

    def frames(self, count: int, fps: int) -> Iterator[Frame]:
        mark = caption.overlay(*self.size)
        for number in range(count):
            picture = self.back.copy()
            self._draw(picture, number / fps, count / fps)
            picture.alpha_composite(mark)
            yield np.asarray(picture if self.alpha else picture.convert("RGB"))

    def _draw(self, picture: Image.Image, now: float, end: float) -> None:
        pace = min(1.0, end / 4)
        leave = ease((now - (end - 0.6 * pace)) / (0.6 * pace))
        step = self.type_size * 1.25
        top = (self.size[1] - step * len(self.lines)) / 2
        left = self.size[0] * 0.1
        pen = ImageDraw.Draw(picture)
        grown = ease(now / (0.7 * pace)) * (1 - leave)
        bar_top = self.size[1] / 2 - step * len(self.lines) / 2 * grown
        bar = (left - self.type_size * 0.45, bar_top, left - self.type_size * 0.27, self.size[1] - bar_top)
        pen.rectangle(bar, fill=(*self.palette.horizon, round(255 * grown)))
        for number, line in enumerate(self.lines):
            come = ease((now - (0.25 + 0.22 * number) * pace) / (0.7 * pace))
            strength = round(255 * come * (1 - leave))
            if strength:
                layer = Image.new("RGBA", self.size)
                place = (left + leave * self.type_size, top + number * step + (1 - come) * step * 0.6)
                ImageDraw.Draw(layer).text(
                    place,
                    line,
                    font=caption.font(self.type_size),
                    fill=(255, 255, 255, strength),
                    stroke_width=max(1, round(self.type_size / 40)),
                    stroke_fill=(*self.palette.near, strength),
                )
                picture.alpha_composite(layer)
        self._draw_shown(picture, now, pace, leave)

    def _draw_shown(self, picture: Image.Image, now: float, pace: float, leave: float) -> None:
        """The given pictures in a row below, one after the other."""
        for number, each in enumerate(self.shown):
            come = ease((now - (0.5 + 0.2 * number) * pace) / (0.6 * pace)) * (1 - leave)
            side = round(each.width * come)
            if side > 1:
                x = round(self.size[0] * 0.1 + number * each.width * 1.15)
                y = self.size[1] - each.height - round(self.type_size * 0.4) + (each.height - side)
                picture.alpha_composite(each.resize((side, side)), (min(x, self.size[0] - side), max(0, y)))
