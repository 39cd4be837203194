"""The ground that transparent pictures are laid on: one gray level for a folder, on which all of its drawings are seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from PIL import Image

from metagan_cli.data.readers.geometry import Array

WHITE, BLACK = 255, 0
GROUNDS = (WHITE, BLACK, 128, 64, 192)  # the first that serves best
SUITS = 55  # levels by which a drawing has to differ from white or black to be seen on it
INK = 128  # and a gray one from black, where it could lie on white and be turned over: fainter is no ink
RIM_SIDE = 64  # pixels of the longer side that rims are looked at in: a finer rim is a fringe that cutting out left
OPAQUE = 128  # alpha from which a pixel belongs to the drawing
HIDDEN = 0.25  # share of a rim that may be lost in the ground

Levels = tuple[float, ...]


@dataclass(frozen=True)
class Contrast:
    """By how many levels a transparent drawing differs from each of GROUNDS, in its most different channel."""

    whole: Levels  # all that is seen of it, on average
    rim: Levels  # its rim, but for the quarter of it that differs least


def contrast_of(image: Image.Image, channels: int) -> Contrast | None:
    """How a picture stands out in colour, or in lightness where there is one channel; nothing of an opaque one."""
    if "A" not in image.mode or image.getchannel("A").getextrema()[0] == 255:
        return None
    seen = image.convert("LA" if channels == 1 else "RGBA")
    small = seen.copy()
    small.thumbnail((RIM_SIDE, RIM_SIDE), Image.Resampling.BOX)
    pixels, rim = np.asarray(seen), _rim(np.asarray(small))
    alpha = pixels[..., -1].astype(np.float64)
    if not alpha.any():
        return Contrast((WHITE,) * len(GROUNDS), (WHITE,) * len(GROUNDS))  # nothing to be seen: any ground will do
    whole = tuple(float(np.vdot(apart, alpha) / alpha.sum()) for apart in _apart(pixels))
    return Contrast(whole, tuple(float(np.quantile(apart, HIDDEN)) for apart in _apart(rim)) if len(rim) else whole)


def _rim(pixels: Array) -> Array:
    """The pixels of a drawing [H, W, C + 1] that have nothing beside them: [P, C + 1]."""
    drawn = np.pad(pixels[..., -1] >= OPAQUE, 1)
    within = drawn[:-2, 1:-1] & drawn[2:, 1:-1] & drawn[1:-1, :-2] & drawn[1:-1, 2:]
    return pixels[drawn[1:-1, 1:-1] & ~within]


def _apart(pixels: Array) -> Iterator[np.ndarray[Any, Any]]:
    """By how many levels pixels [..., C + 1] differ from each of GROUNDS in their most different channel: [...]."""
    channels = [pixels[..., c].astype(np.int16) for c in range(pixels.shape[-1] - 1)]
    low, high = reduce(np.minimum, channels), reduce(np.maximum, channels)
    return (np.maximum(high - ground, ground - low) for ground in GROUNDS)


def common_ground(contrasts: Sequence[Contrast], channels: int) -> int | None:
    """The one ground of a folder's transparent drawings: white or black where it suits all, else where the worst is seen best.

    None where gray drawings are some of them dark and some light: on mid-gray neither would be ink.
    """
    for ground in (WHITE, BLACK):
        if all(_suits(contrast, ground, channels) for contrast in contrasts):
            return ground
    return None if channels == 1 else _best(contrasts, len(GROUNDS))


def own_ground(contrast: Contrast, channels: int) -> int:
    """The ground of a drawing by itself: white or black for a gray one."""
    ground = common_ground([contrast], channels)
    return _best([contrast], 2) if ground is None else ground


def _best(contrasts: Sequence[Contrast], most: int) -> int:
    """The one of the first GROUNDS on which the worst drawing is seen best: its rim counts as much as all of it."""
    worst = [min(c.whole[place] + c.rim[place] for c in contrasts) for place in range(most)]
    return GROUNDS[int(np.argmax(worst))]


def _suits(contrast: Contrast, ground: int, channels: int) -> bool:
    """Whether a drawing is seen on white, where its rim may be lost if the rest is seen well, or on black."""
    if ground == WHITE:
        return contrast.whole[0] >= SUITS
    return min(contrast.whole[1], contrast.rim[1]) >= (INK if channels == 1 else SUITS)


def laid_on(image: Image.Image, ground: int) -> Image.Image:
    """A picture with its transparent parts on a gray level: RGB."""
    below = Image.new("RGBA", image.size, (ground, ground, ground, 255))
    return Image.alpha_composite(below, image.convert("RGBA")).convert("RGB")


def said(ground: int) -> str:
    """A ground in words."""
    return {WHITE: "white", BLACK: "black"}.get(ground, f"gray {ground}")
