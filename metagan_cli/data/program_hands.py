"""Hands drawn by program: ways of styling any plain drawing, so that there is no end of hands whose truths are known exactly."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.distance import distance_field, flooded, rim

SHARP = 1.0  # coverage a pixel of distance


@dataclass(frozen=True)
class ProgramHand:
    """One way of styling."""

    form: str  # what becomes of strokes: "keep", "solid", "outline", "duotone", "tinted", "hatch"
    weight: float  # pixels that edges move outwards
    line: float  # half the width of an outline's lines, in pixels
    soft: float  # deviation of the blur that rounds corners, in pixels
    slant: float
    wide: float
    tone: float  # of what is filled, in [-1, 1]
    ground: str  # behind it: "none", "disc", "square", "round"; the ink is then left out of it
    shadow: tuple[float, float, float]  # across and down in pixels, and its tone; (0, 0, -1) is none
    rough: float  # deviation of a pen's waver, in pixels
    cells: int  # pixels a side of pixel art; 0 is none
    slope: float  # of hatching, in turns
    pitch: float  # of hatching, in pixels


def draw_hand(rng: torch.Generator) -> ProgramHand:
    """One at random: mostly few changes, at times many."""

    def chance(share: float) -> bool:
        return float(torch.rand((), generator=rng)) < share

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=rng))

    def one_of(*names: str) -> str:
        return names[int(torch.randint(len(names), (), generator=rng))]

    form = one_of("keep", "keep", "keep", "solid", "solid", "outline", "outline", "duotone", "tinted", "hatch")
    badge = one_of("disc", "square", "round") if chance(0.12) else "none"
    shadow = (between(-4, 4), between(-4, 4), between(-0.6, 0.3)) if chance(0.12) else (0.0, 0.0, -1.0)
    return ProgramHand(
        form=form,
        weight=between(-1.2, 2.2) if chance(0.75) else 0.0,
        line=between(0.6, 1.9),
        soft=between(0.6, 2.2) if chance(0.4) else 0.0,
        slant=between(-0.3, 0.3) if chance(0.25) else 0.0,
        wide=between(0.7, 1.0) if chance(0.25) else 1.0,
        tone=between(-0.6, 0.5),
        ground=badge,
        shadow=shadow,
        rough=between(0.3, 0.9) if chance(0.15) else 0.0,
        cells=int(one_of("2", "3", "4")) if chance(0.1) else 0,
        slope=between(0, 0.5),
        pitch=between(4, 8),
    )


def styled(coverage: Tensor, hand: ProgramHand, rng: torch.Generator) -> Tensor:
    """Plain drawings, ink [N, 1, S, S] in [0, 1], by this hand: gray images [N, 1, S, S] in [-1, 1], ink 1."""
    side = coverage.shape[-1]
    if hand.slant or hand.wide != 1 or hand.ground != "none":
        room = 0.7 if hand.ground != "none" else 1.0
        theta = torch.tensor([[[1 / (hand.wide * room), hand.slant / room, 0], [0, 1 / room, 0]]]).expand(len(coverage), 2, 3)
        grid = F.affine_grid(theta, list(coverage.shape), align_corners=False)
        coverage = F.grid_sample(coverage, grid, align_corners=False)
    silhouette, details = anatomy(coverage)
    field, solid, inner = (distance_field(x) for x in (coverage, silhouette, details))
    if hand.soft:
        field, solid, inner = (blurred(x, hand.soft) for x in (field, solid, inner))
    if hand.rough:
        waver = F.interpolate(torch.randn(len(field), 1, 20, 20, generator=rng), size=(side, side), mode="bicubic")
        field, solid, inner = (x + hand.rough * waver for x in (field, solid, inner))
    half = hand.line + 0.5 * max(0.0, hand.weight)
    ring = torch.maximum(_cover(half - (solid - half).abs()), _cover(inner + 0.5 * hand.weight))
    whole = _cover(solid + hand.weight)
    plain, hatched = _cover(field + hand.weight), torch.maximum(ring, whole * stripes(side, hand))
    opened = whole * (1 - _cover(inner - 0.3 * hand.weight))
    ink = {"keep": plain, "solid": opened, "outline": ring, "duotone": ring, "tinted": plain, "hatch": hatched}[hand.form]
    tone = whole if hand.form in ("duotone", "tinted") else None
    image = torch.full_like(ink, -1.0)
    if hand.shadow[2] > -1:
        across, down = (round(x) for x in hand.shadow[:2])
        image = torch.lerp(image, torch.full_like(image, hand.shadow[2]), whole.roll((down, across), (2, 3)))
    if tone is not None:
        image = torch.lerp(image, torch.full_like(image, hand.tone), tone)
    image = torch.lerp(image, torch.ones_like(image), ink)
    if hand.ground != "none":
        image = torch.minimum(_badge(hand.ground, side).expand_as(image), -image)
    if hand.cells:
        small = F.interpolate(image, size=(side // hand.cells,) * 2, mode="area")
        image = F.interpolate((2.5 * small).clamp(-1, 1), size=(side, side), mode="nearest")
    return image


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Maps [N, 1, S, S] under a Gaussian."""
    reach = int(3 * deviation + 0.5)
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (axis / deviation).square())
    kernel = kernel / kernel.sum()
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    return F.conv2d(F.pad(x, (0, 0, reach, reach), mode="replicate"), kernel.view(1, 1, -1, 1))


def anatomy(coverage: Tensor) -> tuple[Tensor, Tensor]:
    """What ink [N, 1, S, S] in [0, 1] covers with all that it encloses, and the details within: ink apart, or holes of solids."""
    ink = (coverage >= 0.5).float()
    outside = flooded(rim(ink), 1 - ink)
    beside = F.max_pool2d(outside, 3, 1, 1)
    silhouette = torch.where(beside > 0, coverage, 1.0)
    outer = flooded(beside, ink)
    apart = ink * (1 - outer)
    islands = coverage * F.max_pool2d(apart, 3, 1, 1)
    holes = (silhouette - coverage).clamp(min=0)
    share = ink.sum((2, 3), keepdim=True) / silhouette.sum((2, 3), keepdim=True).clamp(min=1)
    return silhouette, torch.where(share > 0.55, holes, islands)


def stripes(side: int, hand: ProgramHand) -> Tensor:
    """The hatching of a whole square: [S, S] in [0, 1]."""
    axis = torch.arange(side, dtype=torch.float32)
    angle = torch.tensor(2 * torch.pi * hand.slope)
    phase = (axis[None] * angle.cos() + axis[:, None] * angle.sin()) / hand.pitch
    return _cover((0.25 - (phase % 1 - 0.5).abs()) * hand.pitch)


def _cover(field: Tensor) -> Tensor:
    return (SHARP * field + 0.5).clamp(0, 1)


def _badge(kind: str, side: int) -> Tensor:
    """A badge's ink [1, 1, S, S] in [-1, 1]."""
    axis = torch.arange(side) + 0.5 - side / 2
    x, y = axis[None].abs(), axis[:, None].abs()
    half = side / 2 - 2
    if kind == "disc":
        field = half - (x.square() + y.square()).sqrt()
    else:
        corner = 0.3 * half if kind == "round" else 0.0
        over_x, over_y = (x - half + corner).clamp(min=0), (y - half + corner).clamp(min=0)
        field = corner - (over_x.square() + over_y.square()).sqrt() if corner else torch.minimum(half - x, half - y)
    return (2 * _cover(field) - 1)[None, None]
