"""The folders that the gallery shows and that benchmarks use, all drawn by this program."""

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, ImageDraw, ImageFilter

SIDE, FINE = 256, 4  # pixels of most drawings; how many times larger they are drawn, so that their edges are soft

Colour = tuple[int, int, int]
Point = tuple[float, float]


def hue(degrees: float, strength: float = 0.7, light: float = 0.5) -> Colour:
    """A colour by its hue, strength and lightness."""
    red, green, blue = ImageColor.getrgb(f"hsl({degrees % 360:.0f},{100 * strength:.0f}%,{100 * light:.0f}%)")[:3]
    return red, green, blue


class Pen:
    """Draws on a picture FINE times as large as its points and widths say."""

    def __init__(self, image: Image.Image) -> None:
        self.pen = ImageDraw.Draw(image)

    def __getattr__(self, shape: str) -> Callable[..., None]:
        def draw(points: Any, *angles: float, width: float = 1, **options: Any) -> None:
            large = [FINE * point if isinstance(point, int | float) else tuple(FINE * x for x in point) for point in points]
            getattr(self.pen, shape)(large, *angles, width=round(FINE * width), **options)

        return draw


def canvas(ground: Colour | None = (255, 255, 255), width: int = SIDE, height: int = SIDE) -> tuple[Image.Image, Pen]:
    """An empty picture, transparent without a ground, and its pen."""
    size = FINE * width, FINE * height
    image = Image.new("RGBA", size, (0, 0, 0, 0) if ground is None else (*ground, 255))
    return image, Pen(image)


def small(image: Image.Image) -> Image.Image:
    """A drawing at the size that its pen knows."""
    return image.resize((image.width // FINE, image.height // FINE), Image.Resampling.BOX)


def monster(chance: random.Random) -> Image.Image:
    """A symmetric creature of 16 x 16 pixels, transparent around."""
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    tone = chance.uniform(0, 360)
    body, shade = hue(tone, 0.6, 0.5), hue(tone, 0.6, 0.32)
    cells = {(x, y) for y in range(3, 14) for x in range(2, 8) if chance.random() < 0.45 + 0.09 * x - 0.03 * abs(y - 8)}
    cells |= {(x, y) for x in range(5, 8) for y in range(4, 12)}
    for x, y in cells:
        edge = any((a, b) not in cells for a, b in ((x - 1, y), (x, y - 1), (x, y + 1)))
        for place in (x, 15 - x):
            image.putpixel((place, y), (*(shade if edge else body), 255))
    eye = chance.randint(5, 7)
    for x in (6, 9):
        image.putpixel((x, eye), (255, 255, 255, 255))
        image.putpixel((x, eye + 1), (20, 20, 30, 255))
    return image


def face(chance: random.Random) -> Image.Image:
    """A flat portrait."""
    image, pen = canvas(hue(chance.uniform(180, 260), 0.4, 0.85))
    skin = chance.choice([(241, 204, 172), (222, 170, 130), (160, 110, 75), (105, 70, 50)])
    hair = chance.choice([(40, 30, 30), (120, 75, 40), (200, 160, 70), (180, 70, 40), (150, 150, 155)])
    width, top = chance.uniform(58, 70), chance.uniform(60, 78)
    pen.ellipse((28, 200, 228, 330), fill=hue(chance.uniform(0, 360), 0.55, 0.5))
    pen.rectangle((108, 170, 148, 215), fill=skin)
    if chance.random() < 0.5:
        pen.ellipse((128 - width - 14, top - 26, 128 + width + 14, 215), fill=hair)
    pen.ellipse((128 - width, top, 128 + width, 200), fill=skin)
    pen.chord((128 - width - 6, top - 24, 128 + width + 6, top + 100), 180 + chance.uniform(-8, 20), 360, fill=hair)
    for x in (104, 152):
        pen.ellipse((x - 7, 122, x + 7, 138), fill=(35, 35, 45))
    smile = chance.uniform(6, 22)
    pen.arc((104, 168 - smile, 152, 168 + smile), 0, 180, fill=(150, 50, 50), width=7)
    if chance.random() < 0.4:
        for x in (104, 152):
            pen.ellipse((x - 22, 108, x + 22, 152), outline=(30, 30, 30), width=6)
    return small(image)


def fish(chance: random.Random) -> Image.Image:
    """A fish on white."""
    image, pen = canvas()
    tone, length, height = chance.uniform(0, 360), chance.uniform(62, 84), chance.uniform(34, 62)
    body, fin = hue(tone), hue(tone + chance.choice([25, 180]), 0.7, 0.45)
    pen.polygon([(128 + length - 22, 128), (236, 128 - height), (222, 128), (236, 128 + height)], fill=fin)
    pen.polygon([(100, 128 - height + 12), (128, 128 - height - 34), (160, 128 - height + 16)], fill=fin)
    pen.ellipse((110 - length, 128 - height, 110 + length, 128 + height), fill=body)
    for i in range(chance.randint(0, 3)):
        stripe = 105 + 26 * i
        reach = height * math.sqrt(max(0.0, 1 - ((stripe - 110) / length) ** 2)) * 0.92
        pen.line((stripe, 128 - reach, stripe, 128 + reach), fill=fin, width=9)
    x = 110 - 0.62 * length
    pen.ellipse((x - 11, 108, x + 11, 130), fill=(255, 255, 255))
    pen.ellipse((x - 5, 114, x + 5, 124), fill=(20, 20, 30))
    return small(image)


def house(chance: random.Random) -> Image.Image:
    """An outlined icon of a house, transparent around."""
    image, pen = canvas(None)
    ink, wall, roof = (45, 50, 70), hue(chance.uniform(30, 60), 0.6, 0.85), hue(chance.choice([0, 15, 200, 330]), 0.6, 0.55)
    left, right, eaves, peak = 54, 202, chance.uniform(108, 136), chance.uniform(34, 62)
    if chance.random() < 0.6:
        x = chance.choice([76, 160])
        pen.rectangle((x, peak + 4, x + 20, eaves), fill=roof, outline=ink, width=7)
    pen.rectangle((left, eaves, right, 222), fill=wall, outline=ink, width=8)
    pen.polygon([(left - 22, eaves), (128, peak), (right + 22, eaves)], fill=roof, outline=ink, width=8)
    door = chance.choice([70, 114, 150])
    pen.rectangle((door, 168, door + 32, 222), fill=roof, outline=ink, width=7)
    for x in {70, 114, 150} - {door}:
        if chance.random() < 0.8:
            pen.rectangle((x, 152, x + 30, 182), fill=(190, 225, 245), outline=ink, width=6)
    return small(image)


def flag(chance: random.Random) -> Image.Image:
    """Three stripes and perhaps a mark, 3 : 2."""
    image, pen = canvas(width=240, height=160)
    tones = [hue(chance.choice(some), 0.75, light) for some, light in (([0, 45, 120, 215], 0.45), ([0, 45, 120, 215, 270], 0.4))]
    tones.insert(1, (245, 245, 245))
    chance.shuffle(tones)
    across = chance.random() < 0.5
    for i, tone in enumerate(tones):
        pen.rectangle((80 * i, 0, 80 * i + 80, 160) if across else (0, 54 * i, 240, 54 * i + 54), fill=tone)
    if chance.random() < 0.5:
        points = [
            (120 + r * math.sin(a), 80 - r * math.cos(a))
            for i in range(10)
            for a, r in [(i * math.pi / 5, 34 if i % 2 == 0 else 14)]
        ]
        pen.polygon(points, fill=hue(chance.choice([0, 45, 215]), 0.8, 0.5))
    return small(image).convert("RGB")


def valley(chance: random.Random) -> Image.Image:
    """A hazy landscape, as a photograph might show it."""
    image, pen = canvas()
    tone, low = chance.choice([205, 215, 25, 340]), chance.uniform(120, 160)
    for row in range(256):
        pen.line((0, row, 256, row), fill=hue(tone, 0.5, 0.5 + 0.35 * min(1.0, row / low)))
    x, y, size = chance.uniform(40, 216), chance.uniform(30, 80), chance.uniform(10, 20)
    pen.ellipse((x - size, y - size, x + size, y + size), fill=(255, 246, 214))
    for layer in range(4):
        phases = [chance.uniform(0, 6.3) for _ in range(5)]
        ridge = [
            (i, low + 30 * layer - 18 + sum(22 / (k + 1) * math.sin(i * (k + 1) / 34 + p) for k, p in enumerate(phases)))
            for i in range(-4, 264, 4)
        ]
        pen.polygon([*ridge, (264, 256), (-8, 256)], fill=hue(tone - 40 - 20 * layer, 0.3, 0.62 - 0.13 * layer))
    return small(image).filter(ImageFilter.GaussianBlur(1.5))


def planet(chance: random.Random) -> Image.Image:
    """A banded, cratered ball in the dark."""
    image, pen = canvas((8, 8, 18))
    for _ in range(25):
        x, y = chance.uniform(0, 256), chance.uniform(0, 256)
        pen.ellipse((x, y, x + 3, y + 3), fill=(200, 200, 220))
    ball, ink = canvas(None)
    tone, size = chance.uniform(0, 360), chance.uniform(66, 94)
    box = (128 - size, 128 - size, 128 + size, 128 + size)
    ink.ellipse(box, fill=hue(tone, 0.5, 0.55))
    for _ in range(6):
        y, thick = chance.uniform(box[1], box[3]), chance.uniform(4, 16)
        ink.rectangle((0, y, 256, y + thick), fill=hue(tone + chance.uniform(-25, 25), 0.5, chance.uniform(0.4, 0.7)))
    for _ in range(chance.randint(0, 5)):
        x, y, r = chance.uniform(70, 180), chance.uniform(70, 180), chance.uniform(5, 14)
        ink.ellipse((x - r, y - r, x + r, y + r), fill=hue(tone, 0.4, 0.38))
    mask, shade = Image.new("L", image.size), Image.new("L", image.size)
    Pen(mask).ellipse(box, fill=255)
    Pen(shade).ellipse((box[0] - 30, box[1] - 30, box[2] - 24, box[3] - 24), fill=255)
    dark = Image.composite(ball, ball.point(lambda v: int(0.35 * v)), shade.filter(ImageFilter.GaussianBlur(14 * FINE)))
    image.paste(dark.filter(ImageFilter.GaussianBlur(FINE)).convert("RGB"), (0, 0), mask)  # opaque where it is night
    return small(image)


def boat(chance: random.Random) -> Image.Image:
    """A sailing boat in thin lines of one weight, 512 pixels."""
    image, pen = canvas(width=512, height=512)
    line: dict[str, Any] = {"fill": (25, 25, 30), "width": 7, "joint": "curve"}
    left, right, deck = chance.uniform(70, 120), chance.uniform(390, 440), chance.uniform(345, 375)
    mast, top = chance.uniform(225, 275), chance.uniform(50, 100)
    pen.line(
        [(left, deck), (left + 55, deck + 75), (right - 45, deck + 75), (right, deck), (left, deck), (left + 55, deck + 75)],
        **line,
    )
    pen.line([(mast, deck), (mast, top)], **line)
    pen.line(_curve((mast, top + 10), (mast + chance.uniform(90, 140), deck - 90), (right - 30, deck - 35)), **line)
    pen.line([(right - 30, deck - 35), (mast, deck - 35)], **line)
    pen.line(_curve((mast, top + 30), (mast - 60, deck - 120), (left + 25, deck - 35)), **line)
    pen.line([(left + 25, deck - 35), (mast, deck - 35)], **line)
    if chance.random() < 0.6:
        pen.line([(mast, top), (mast + 55, top + 14), (mast, top + 28)], **line)
    for number in range(chance.randint(0, 3)):
        x = left + 110 + 65 * number
        pen.ellipse((x - 13, deck + 24, x + 13, deck + 50), outline=line["fill"], width=7)
    if chance.random() < 0.5:
        x, y, radius = chance.choice([90, 420]), chance.uniform(85, 120), chance.uniform(28, 42)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=line["fill"], width=7)
    phase = chance.uniform(0, 6.3)
    pen.line([(x, deck + 102 + 9 * math.sin(x / 22 + phase)) for x in range(40, 476, 4)], **line)
    return small(image)


def _curve(start: Point, bend: Point, end: Point) -> list[Point]:
    """A quadratic curve as 24 short lines."""
    shares = [((1 - t) ** 2, 2 * t * (1 - t), t**2) for t in (i / 24 for i in range(25))]
    return [(a * start[0] + b * bend[0] + c * end[0], a * start[1] + b * bend[1] + c * end[1]) for a, b, c in shares]


DRAWN: dict[str, Callable[[random.Random], Image.Image]] = {
    "monsters": monster,
    "faces": face,
    "fish": fish,
    "houses": house,
    "flags": flag,
    "valleys": valley,
    "planets": planet,
    "boats": boat,
}


def drawings(name: str, count: int) -> Iterator[Image.Image]:
    """That many images of one of DRAWN."""
    return (DRAWN[name](random.Random(f"{name} {i}")) for i in range(count))


def draw_folder(folder: Path, name: str, count: int) -> None:
    """Draws that many images of one of DRAWN into a folder."""
    for i, image in enumerate(drawings(name, count)):
        image.save(folder / f"{i}.png")
