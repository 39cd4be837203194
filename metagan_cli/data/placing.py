"""Where places of an image lie in the square that a model sees of it, and places of a square in a result."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from metagan_cli.data.readers.geometry import Fitting, Form, Outline, cells_of, cut_to

Places = np.ndarray[Any, np.dtype[np.float64]]  # [..., 2]: x to the right, y down


@dataclass(frozen=True)
class Placement:
    """A scale and a shift along each axis: of pixels from the upper left corner to the square from (-1, -1) to (1, 1)."""

    scale: tuple[float, float]
    shift: tuple[float, float]

    def __call__(self, places: Places) -> Places:
        """Pixels' places in the square."""
        moved: Places = places * self.scale + self.shift
        return moved

    def back(self, places: Places) -> Places:
        """The square's places in pixels."""
        moved: Places = (places - self.shift) / self.scale
        return moved


def of_image(outline: Outline, fitting: Fitting, size: int) -> Placement:
    """Where an image lies in its square of `size` pixels, as `squared` puts it there."""
    block = outline.block if fitting.by_pixels else 0
    unit = block or 1
    whole = outline.width // unit, outline.height // unit
    kept = whole if fitting.fit == "pad" else cut_to(*whole, fitting.slope)
    corner, sides = [(a - b) / 2 for a, b in zip(whole, kept, strict=True)], kept
    if block and max(kept) <= size:
        cells = cells_of(max(kept), size)
        corner, sides = [at - (cells - part) // 2 for at, part in zip(corner, kept, strict=True)], (cells, cells)
    elif fitting.fit == "pad":
        corner, sides = [float(-round((max(kept) - part) / 2)) for part in kept], (max(kept), max(kept))
    return _between((corner[0] * unit, corner[1] * unit), (sides[0] * unit, sides[1] * unit))


def of_result(form: Form, side: int, wanted: str) -> Placement:
    """Where a result of the wanted size lies in the square of `side` pixels that it is cut from, as `given_back` does."""
    width, height = form.size(side, wanted)
    if form.in_pixels(side):
        drawn = form.width // form.block, form.height // form.block
        cells = cells_of(max(drawn), side)
    elif form.width and "x" not in wanted and form.fit != "fill":
        drawn, cells = form.size(side, "model"), side
    else:
        drawn, cells = (1, 1), 1
    left, top = ((cells - part) // 2 for part in drawn)
    times = width / drawn[0], height / drawn[1]
    return _between((-left * times[0], -top * times[1]), (cells * times[0], cells * times[1]))


def _between(corner: tuple[float, float], sides: tuple[float, float]) -> Placement:
    """The square lies at a corner and has these sides, in pixels of the image."""
    scale = (2 / sides[0], 2 / sides[1])
    return Placement(scale, (-1 - corner[0] * scale[0], -1 - corner[1] * scale[1]))
