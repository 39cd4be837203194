"""Distance from the edge of ink, how thick its lines are, and what is reached from where: the shape of a drawing."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.devices import as_float32

REACH = 5  # pixels, beyond which a distance is not told
FAINT = 0.05  # coverage of a pixel that is too little to lie on an edge
WAYS = ((0, 1), (1, 0), (1, 1), (1, -1))  # pixels down and across: ways across an upright line, a level one, and slanted ones
FEWEST = 2  # pixels of a drawing, on average, along the middles of strokes that say how thick they are
THINNER = 0.4  # share of the middles of lines that are thinner than what is taken for their weight


def distance_field(coverage: Tensor) -> Tensor:
    """Signed distance in pixels from the edge of ink [N, 1, S, S] in [0, 1], above 0 inside, at most `REACH` either way.

    An edge through a pixel that is covered in part lies where that part ends (Gustavson and Strand 2011).
    """
    coverage = as_float32(coverage)
    outside, inside = _nearest(torch.cat([coverage, 1 - coverage])).chunk(2)
    return torch.where(coverage < 0.5, -outside, inside)


def line_weight(field: Tensor, within: Tensor | None = None, thinner: float = THINNER) -> Tensor:
    """Half the width in pixels [N] of the thinner lines of drawings, by their distances from edges [N, 1, S, S]; 0 of none.

    Of all lines `within` a part, where one is given, it is the width that a share `thinner` of them has not.
    Along the middle of a line distances fall to both sides, one pixel a pixel: where the two slopes meet, it is half as wide.
    """
    half, _, middle = _middles(field)
    middle = middle if within is None else middle & within
    pairs = zip(half, middle, strict=True)
    return torch.stack([own[there].quantile(thinner) if there.any() else field.new_zeros(()) for own, there in pairs])


class StrokeWeights(NamedTuple):
    """Half the widths in pixels of strokes."""

    upright: float
    level: float

    @property
    def contrast(self) -> float:
        """How much thicker level ones are."""
        return self.level - self.upright


def stroke_weights(ink: Tensor) -> StrokeWeights:
    """Of drawings [N, 1, S, S] in [-1, 1] together; where one kind is hardly there, it is as the other."""
    half, way, middle = _middles(distance_field((ink + 1) / 2))
    found = [half[middle & (way == number)] for number in (0, 1)]
    known = [float(some.median()) if len(some) >= FEWEST * len(ink) else None for some in found]
    usual = next((weight for weight in known if weight is not None), 0.0)
    return StrokeWeights(*(usual if weight is None else weight for weight in known))


def _middles(field: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Half the width of the line through each place of fields [N, 1, S, S], which of WAYS is across it, and which are middles."""
    side, wider = field.shape[-1], F.pad(field, (1, 1, 1, 1), value=-float(REACH))

    def beside(down: int, across: int) -> Tensor:
        return wider[..., 1 + down : 1 + down + side, 1 + across : 1 + across + side]

    met = [(beside(*way) + beside(-way[0], -way[1])) / 2 + math.hypot(*way) for way in WAYS]
    half, way = torch.stack(met).min(0)
    middle = (field > 0) & (field >= F.max_pool2d(field, 3, 1, 1) - 1e-4)
    return torch.maximum(half, field), way, middle


def flooded(seeds: Tensor, open_: Tensor) -> Tensor:
    """All of maps [N, 1, S, S] of 0 and 1 that is reached from seeds by steps along rows and columns, within what is open."""
    reached = (seeds * open_).bool()
    walls = [_last(turned(open_ == 0)) for turned in TURNS]
    while True:
        wider = reached
        for turned, wall in zip(TURNS, walls, strict=True):
            wider = turned(_last(turned(wider)) > wall)  # each way of turning is its own inverse
        if torch.equal(wider, reached):
            return reached.to(open_.dtype)
        reached = wider


TURNS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda x: x,
    lambda x: x.flip(3),
    lambda x: x.transpose(2, 3),
    lambda x: x.flip(2, 3).transpose(2, 3),
)  # that make each of four ways the way to the right


def _last(marked: Tensor) -> Tensor:
    """For each place of maps [N, 1, S, S] the number of the last marked one in its row, up to it; -1 where there is none."""
    number = torch.arange(marked.shape[3], dtype=torch.int16, device=marked.device)
    return torch.where(marked, number, -1).to(torch.int16).cummax(3).values


def rim(maps: Tensor) -> Tensor:
    """Ones along the border of maps [N, 1, S, S], zeros elsewhere."""
    found = torch.zeros_like(maps)
    found[..., 0, :] = found[..., -1, :] = found[..., 0] = found[..., -1] = 1
    return found


def _nearest(coverage: Tensor) -> Tensor:
    """Distance of each pixel's middle from the nearest edge of what is covered; below 0 where most of a pixel is."""
    side = coverage.shape[-1]
    edge = torch.where(coverage > FAINT, 0.5 - coverage, float(REACH))
    padded = F.pad(edge, 4 * [REACH], value=float(REACH))
    found = torch.full_like(edge, float(REACH))
    for down in range(-REACH, REACH + 1):
        for across in range(-REACH, REACH + 1):
            away = (down * down + across * across) ** 0.5
            if away < REACH + 0.5:
                part = padded[..., REACH + down : REACH + down + side, REACH + across : REACH + across + side]
                torch.minimum(found, part + away, out=found)
    return found
