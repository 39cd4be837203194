"""Letters as ink in square frames: where they lie, how heavy their strokes are, and how much white is beside them."""

from typing import NamedTuple

import torch
from torch import Tensor

from metagan_cli.images.ink import ink_of

HALF = 0.5  # of a pixel, from which it is ink


class Box(NamedTuple):
    """The sides of what a letter covers, x to the right and y down, in one unit."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Half-way from top to bottom."""
        return (self.top + self.bottom) / 2

    def times(self, factor: float) -> "Box":
        """The same in another unit."""
        return Box(*(factor * side for side in self))

    def moved(self, way: float) -> "Box":
        """The same so far to the right and down."""
        return Box(*(side + way for side in self))


def coverage(picture: Tensor) -> Tensor:
    """How much of each pixel is ink, [S, S] in [0, 1], of a picture [C, S, S] in [-1, 1], however dark its ink is."""
    return (ink_of(picture.expand(3, -1, -1)[None])[0, 0] + 1) / 2


def box_of(share: Tensor) -> Box | None:
    """The box of the ink that covers pixels [H, W], in pixels, or none where there is no ink."""
    ink = share > HALF
    if not ink.any():
        return None
    (left, right), (top, bottom) = ((int(line[0]), int(line[-1]) + 1) for line in (ink.any(d).nonzero()[:, 0] for d in (0, 1)))
    return Box(left, top, right, bottom)


def stroke_of(share: Tensor) -> float:
    """The mean width of strokes that cover pixels [H, W], in pixels: twice their area by the length of their edge."""
    edge = torch.hypot(share.diff(dim=0)[:, 1:], share.diff(dim=1)[1:]).sum()
    return float(2 * share.sum() / edge.clamp(min=1e-6))


def white_beside(share: Tensor, deepest: float) -> tuple[float, float]:
    """The mean white from the left and the right side of a box to the ink that covers pixels [H, W] of it, in pixels.

    It is zero beside a stem, a little beside a bow and much beside what is open, where no more counts than `deepest`.
    """
    ink = share > HALF
    across = ink.any(0).nonzero()
    ink = ink[ink.any(1), int(across[0]) : int(across[-1]) + 1].float()
    left, right = (float(side.argmax(1).float().clamp(max=deepest).mean()) for side in (ink, ink.flip(1)))
    return left, right
