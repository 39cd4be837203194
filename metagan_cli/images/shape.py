"""Whether a picture keeps the shape of the one that it was made from: its parts and holes, flat areas and straight edges."""

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.distance import distance_field
from metagan_cli.images.gradients import slopes
from metagan_cli.images.ink import ink_of

MIXED = 0.24  # how far a pixel's value is from a paint's, from which it is neither that paint nor a neighbour's soft edge
BENDS = 1.1  # times as bent as before, that edges may be
FLAT = 0.2  # change of distance a pixel, below which a place has no direction


def keeps_shape(before: Tensor, after: Tensor, colours: Tensor) -> Tensor:
    """Which images [N, C, S, S] `after` are as clean as those `before`, painted with the same colours [P, C]: bool [N].

    They have as many parts less holes, no areas between two paints, and edges that are hardly more bent.
    """
    old, new = ink_of(before), ink_of(after)
    same = _euler(old > 0) == _euler(new > 0)
    even = _blotted(after, colours) <= _blotted(before, colours)
    return same & even & (_bent(new) < BENDS * _bent(old))


def _euler(ink: Tensor) -> Tensor:
    """Parts less holes of ink, bool [N, 1, S, S], by its corners (Gray 1971); pixels that touch are one part: [N]."""
    x = F.pad(ink.long(), (1, 1, 1, 1))
    a, b, c, d = x[..., :-1, :-1], x[..., :-1, 1:], x[..., 1:, :-1], x[..., 1:, 1:]
    covered = a + b + c + d
    across = (covered == 2) & (a == d)
    corners = (covered == 1).long() - (covered == 3).long() - 2 * across.long()
    return corners.sum((1, 2, 3)) // 4


def _blotted(images: Tensor, colours: Tensor) -> Tensor:
    """How many pixels of images [N, C, S, S] lie in areas that are of no paint [P, C]: [N]."""
    far = (images[:, None] - colours[None, :, :, None, None]).abs().amax(2).amin(1, keepdim=True)
    return (-F.max_pool2d(-(far > MIXED).float(), 3, 1, 1)).sum((1, 2, 3))


def _bent(ink: Tensor) -> Tensor:
    """The mean curvature, in radians a pixel, of the edges of ink [N, 1, S, S] in [-1, 1]: [N]."""
    field = F.avg_pool2d(F.pad(distance_field((ink + 1) / 2), (1, 1, 1, 1), mode="replicate"), 3, 1)
    across, down = slopes(field)
    length = torch.hypot(across, down).clamp(min=FLAT)
    turning = (slopes(across / length)[0] + slopes(down / length)[1]).abs()
    edge = (field.abs() < 1).float()
    return (turning * edge).sum((1, 2, 3)) / edge.sum((1, 2, 3)).clamp(min=1)
