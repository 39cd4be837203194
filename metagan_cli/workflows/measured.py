"""What can be measured of how a folder's examples are drawn: their paints, lines, slant and size."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.data.sources.styles import slant, thickness
from metagan_cli.images.distance import distance_field, line_weight
from metagan_cli.images.ink import ink_of
from metagan_cli.images.lean import lean
from metagan_cli.images.paints import Paints, paints_of, shares_of

OUTER, MOSTLY, USUAL = 5, 0.3, 0.7  # pixels a side, at the ground, of which lines have this share, in this share of the images
SEEN, COMMON = 0.01, 0.6  # share of an image that has a paint; and share of the images that have it, for it to be that of lines
ALWAYS = 0.9  # share of the images that have a paint, for it to fill everything, where others fill as well
OFTEN = 0.4  # of the area of the commonest paint, that makes another one fill drawings as well
ALIKE, THICKEST = 0.1, 5.0  # how far widths of lines differ that are one width, as a share, and half the width of what is no line
NARROW, FEW, THIN = 0.1, 0.25, 3.0  # the thinnest of a drawing's lines, of the thinnest drawings, and half their width at most


@dataclass(frozen=True)
class Measured:
    """Of examples [K, C, S, S]."""

    paints: Paints
    lines: tuple[int, ...]  # the paints of lines, the darkest first
    fills: tuple[int, ...]  # those that fill, the commonest first
    common: tuple[int, ...]  # and those of them that may fill everything
    line: float | None  # half the width of lines in pixels, where nearly all examples are of lines of one width
    thinnest: float  # and of thin ones among them, whatever they are
    lean: float | None  # how far upright strokes go to the right for a pixel up, where they are ruled
    slant: float  # and all ink, by its moments
    body: Tensor  # as `body_of` has it
    extent: float  # the median height or width, whichever is more, as a share of the side
    room: float  # and the largest, or all but a pixel beside the frame

    @classmethod
    def of(cls, examples: Tensor) -> "Measured":
        """What examples [K, C, S, S] in [-1, 1] say."""
        paints, ink, extents = paints_of(examples[None]), ink_of(examples), extents_of(examples)
        lines, fills, common = _roles(examples, paints)
        field, line = distance_field((ink + 1) / 2), None
        if lines:
            gray = examples.shape[1] == 1
            of_lines = field if gray else distance_field(shares_of(examples[None], paints)[0][:, lines[:1]])
            line = _one_width(line_weight(of_lines))
        return cls(
            *(paints, lines, fills, common, line),
            thinnest=min(float(thinnest_of(field).quantile(FEW)), THIN),
            lean=lean(ink),
            slant=float(slant(ink).mean()),
            body=body_of(examples),
            extent=float(extents.median()),
            room=max(float(extents.amax()), 1 - 2 / examples.shape[-1]),
        )


def body_of(images: Tensor) -> Tensor:
    """Logarithms [2] of how thick lines of images [N, C, S, S] are, and how dark their ink is where there is any."""
    ink = (ink_of(images) + 1) / 2
    dark = ink.square().sum() / ink.sum().clamp(min=1e-6)
    return torch.stack([thickness(2 * ink - 1).mean(), dark]).clamp(min=1e-3).log()


def extents_of(images: Tensor) -> Tensor:
    """The height or width, whichever is more, of ink in images [N, C, S, S], as a share of the side: [N]."""
    inked = ink_of(images)[:, 0] > 0
    sizes = torch.stack([inked.any(2).sum(1), inked.any(1).sum(1)]).amax(0)
    return sizes.clamp(min=1).float() / images.shape[-1]


def thinnest_of(field: Tensor) -> Tensor:
    """Half the width in pixels [N] of the thinnest lines of drawings, by their distances from edges [N, 1, S, S]."""
    return line_weight(field, thinner=NARROW)


def _one_width(widths: Tensor) -> float | None:
    """The width that most of some [K] are, if they are one."""
    usual = float(widths.median())
    alike = ((widths - usual).abs() < ALIKE * usual).float().mean()
    return usual if 0 < usual < THICKEST and float(alike) > USUAL else None


def _roles(examples: Tensor, paints: Paints) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Paints of lines, which most images are outlined with, the furthest from the ground first, those that fill, and all."""
    colours, there = paints.colours[0], paints.there[0]
    if colours.shape[1] == 1:
        return (1,), (2,) if there[2] else (), ()
    known = [number for number in range(1, len(colours)) if there[number]]
    whole = shares_of(examples[None], paints)[0]
    ground = (whole[:, :1] > 0.5).float()
    outer = F.max_pool2d(ground, OUTER, 1, OUTER // 2) * (1 - ground)
    outlines = ((whole * outer).sum((2, 3)) / outer.sum((2, 3)).clamp(min=1) > MOSTLY).float().mean(0)
    shares = -F.max_pool2d(-whole, 3, 1, 1).mean((2, 3))  # [K, P], without soft edges, which are of no paint
    area, seen = shares.mean(0), (whole.mean((2, 3)) > SEEN).float().mean(0)
    lines = [p for p in known if outlines[p] > USUAL]
    if lines and area[lines].amax() == area[1:].amax():  # what outlines images fills them as well, and lines are within
        lines = [p for p in known if seen[p] > COMMON]
    lines.sort(key=lambda p: -float((colours[p] - colours[0]).abs().mean()))
    fills = sorted((p for p in known if p not in lines[:1]), key=lambda p: -float(area[p])) or known
    often = tuple(p for p in fills if area[p] >= OFTEN * area[fills[0]])
    return tuple(lines), often, tuple(p for p in often if seen[p] >= ALWAYS)
