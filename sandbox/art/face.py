"""Draws the presenters: faces with a moving mouth and blinking eyes."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

from sandbox.art.mood import Colour

SUPERSAMPLING = 2
"""Faces are drawn larger by this factor and scaled down, for smooth edges."""


@dataclass(frozen=True)
class Appearance:
    """The appearance of a presenter. ``hair``: short, bob, long, bun, bald or curly."""

    skin: Colour
    hair_colour: Colour
    hair: str
    shirt: Colour
    back: tuple[Colour, Colour]
    glasses: bool = False
    beard: bool = False


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (max(0, min(255, round(part * factor))) for part in colour)
    return red, green, blue


class Portrait:
    """A presenter in front of a background, in one size. ``draw`` draws one frame."""

    def __init__(self, appearance: Appearance, width: int, height: int) -> None:
        self.appearance = appearance
        self.size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.unit = height * SUPERSAMPLING / 100
        """One hundredth of the height, the unit of all coordinates below."""
        self.middle = width * SUPERSAMPLING / 2
        self._back = self._draw_back()

    def draw(self, mouth: float, closed_eyes: bool = False, lift: float = 0.0) -> Image.Image:
        """``mouth``: 0 closed to 1 wide open. ``lift``: how far the head is raised, in units."""
        picture = self._back.copy()
        pen = ImageDraw.Draw(picture)
        self._draw_hair_behind(pen, lift)
        self._draw_body(pen)
        self._draw_head(pen, lift)
        self._draw_hair(pen, lift)
        self._draw_eyes(pen, lift, closed_eyes)
        self._draw_mouth(pen, lift, mouth)
        return picture.resize(
            (self.size[0] // SUPERSAMPLING, self.size[1] // SUPERSAMPLING), Image.Resampling.LANCZOS
        )

    def _draw_back(self) -> Image.Image:
        """A gradient with a soft light behind the head."""
        top, bottom = self.appearance.back
        strip = Image.new("RGB", (1, 64))
        for row in range(64):
            share = row / 63
            strip.putpixel(
                (0, row),
                tuple(round(one + (other - one) * share) for one, other in zip(top, bottom, strict=True)),
            )
        picture = strip.resize(self.size, Image.Resampling.BICUBIC)
        glow = Image.new("L", (self.size[0] // 16, self.size[1] // 16))
        x, y, reach = self.middle / 16, self.unit * 42 / 16, self.unit * 40 / 16
        ImageDraw.Draw(glow).ellipse((x - reach, y - reach, x + reach, y + reach), fill=60)
        glow = glow.filter(ImageFilter.GaussianBlur(reach / 3)).resize(self.size, Image.Resampling.BICUBIC)
        return Image.composite(Image.new("RGB", self.size, _shade(top, 1.6)), picture, glow)

    def _ellipse(
        self, pen: ImageDraw.ImageDraw, x: float, y: float, wide: float, tall: float, fill: Colour
    ) -> None:
        """An ellipse around a point. All values in units; x is relative to the middle."""
        left, top = self.middle + (x - wide) * self.unit, (y - tall) * self.unit
        right, bottom = self.middle + (x + wide) * self.unit, (y + tall) * self.unit
        pen.ellipse((left, top, right, bottom), fill=fill)

    def _draw_body(self, pen: ImageDraw.ImageDraw) -> None:
        appearance, unit = self.appearance, self.unit
        self._ellipse(pen, 0, 112, 34, 38, appearance.shirt)
        left, right = self.middle - 6.5 * unit, self.middle + 6.5 * unit
        pen.rounded_rectangle(
            (left, 56 * unit, right, 78 * unit), 5 * unit, fill=_shade(appearance.skin, 0.86)
        )
        self._ellipse(pen, 0, 76, 9, 5, _shade(appearance.skin, 0.86))
        collar = _shade(appearance.shirt, 1.25)
        for side in (-1, 1):
            points = [(3 * side, 80), (13 * side, 75), (9 * side, 86)]
            pen.polygon([(self.middle + x * unit, y * unit) for x, y in points], fill=collar)

    def _draw_head(self, pen: ImageDraw.ImageDraw, lift: float) -> None:
        appearance, y = self.appearance, 44 - lift
        for side in (-1, 1):
            self._ellipse(pen, 17.2 * side, y + 1, 3, 4.6, _shade(appearance.skin, 0.92))
        self._ellipse(pen, 0, y - 2, 17.5, 19, appearance.skin)
        self._ellipse(pen, 0, y + 6, 14.6, 17, appearance.skin)
        for side in (-1, 1):
            self._ellipse(pen, 9.5 * side, y + 7, 3.6, 2.6, _blush(appearance.skin))
        self._ellipse(pen, 0, y + 5.2, 2.3, 1.5, _shade(appearance.skin, 0.88))
        if appearance.beard:
            self._ellipse(pen, 0, y + 15, 12.6, 9.4, appearance.hair_colour)
            self._ellipse(pen, 0, y + 8.4, 11.6, 6.4, appearance.skin)

    def _draw_eyes(self, pen: ImageDraw.ImageDraw, lift: float, closed: bool) -> None:
        appearance, unit, y = self.appearance, self.unit, 42.5 - lift
        brow = _shade(appearance.hair_colour, 0.8)
        for side in (-1, 1):
            x = self.middle + 6.6 * side * unit
            arc = (x - 3.6 * unit, (y - 6.6) * unit, x + 3.6 * unit, (y - 1.6) * unit)
            pen.arc(arc, 205, 335, fill=brow, width=round(1.1 * unit))
            if closed:
                lid = (x - 2.8 * unit, (y - 2) * unit, x + 2.8 * unit, (y + 1.6) * unit)
                pen.arc(lid, 15, 165, fill=_shade(appearance.skin, 0.5), width=round(0.7 * unit))
            else:
                self._ellipse(pen, 6.6 * side, y, 3.1, 2.1, (250, 250, 248))
                self._ellipse(pen, 6.6 * side, y, 1.75, 1.85, (58, 66, 74))
                self._ellipse(pen, 6.6 * side + 0.6, y - 0.6, 0.55, 0.55, (255, 255, 255))
            if appearance.glasses:
                frame = (x - 4.6 * unit, (y - 4) * unit, x + 4.6 * unit, (y + 4) * unit)
                pen.rounded_rectangle(frame, 2.6 * unit, outline=(44, 46, 52), width=round(0.7 * unit))
        if appearance.glasses:
            bridge = (self.middle - 2 * unit, (y - 0.3) * unit, self.middle + 2 * unit, (y + 0.4) * unit)
            pen.rectangle(bridge, fill=(44, 46, 52))

    def _draw_mouth(self, pen: ImageDraw.ImageDraw, lift: float, mouth: float) -> None:
        y, wide = 54.5 - lift, 4.8 - 1.1 * mouth
        if mouth < 0.08:
            unit = self.unit
            box = (self.middle - wide * unit, (y - 2.6) * unit, self.middle + wide * unit, (y + 1.6) * unit)
            pen.arc(box, 25, 155, fill=_shade(_blush(self.appearance.skin), 0.72), width=round(0.9 * unit))
            return
        tall = 0.7 + 3.2 * mouth
        self._ellipse(pen, 0, y, wide + 0.8, tall + 0.8, _shade(_blush(self.appearance.skin), 0.78))
        self._ellipse(pen, 0, y, wide, tall, (74, 22, 28))
        self._ellipse(pen, 0, y + tall * 0.55, wide * 0.62, tall * 0.42, (196, 90, 92))
        self._ellipse(pen, 0, y - tall * 0.72, wide * 0.66, tall * 0.24, (250, 248, 244))

    def _draw_hair_behind(self, pen: ImageDraw.ImageDraw, lift: float) -> None:
        appearance, y = self.appearance, 44 - lift
        if appearance.hair == "long":
            self._ellipse(pen, 0, y + 8, 22, 33, _shade(appearance.hair_colour, 0.8))
        elif appearance.hair == "bob":
            self._ellipse(pen, 0, y + 3, 22, 22, _shade(appearance.hair_colour, 0.8))
        elif appearance.hair == "bun":
            self._ellipse(pen, 0, y - 24, 8, 7, appearance.hair_colour)
        elif appearance.hair == "curly":
            for x, offset in ((-17, -4), (17, -4), (-18, 6), (18, 6), (-14, -14), (14, -14)):
                self._ellipse(pen, x, y + offset, 7, 7, _shade(appearance.hair_colour, 0.85))

    def _draw_hair(self, pen: ImageDraw.ImageDraw, lift: float) -> None:
        """Fringe and crown."""
        appearance, y, unit = self.appearance, 44 - lift, self.unit
        if appearance.hair == "bald":
            return
        if appearance.hair == "curly":
            for x, offset in ((-12, -16), (-5, -20), (4, -21), (11, -17), (0, -16), (-15, -10), (15, -10)):
                self._ellipse(pen, x, y + offset, 6.4, 6, appearance.hair_colour)
            return
        box = (self.middle - 19 * unit, (y - 23) * unit, self.middle + 19 * unit, (y + 15) * unit)
        pen.chord(box, 196, 344, fill=appearance.hair_colour)
        # Draw the hairline as an arch.
        self._ellipse(pen, 0, y - 3, 13.5, 9, appearance.skin)
        if appearance.hair in ("bob", "long"):
            for side in (-1, 1):
                self._ellipse(pen, 16.8 * side, y - 1, 3.4, 12, appearance.hair_colour)


def _blush(skin: Colour) -> Colour:
    red, green, blue = skin
    return min(255, red + 4), max(0, round(green * 0.93)), max(0, round(blue * 0.92))
