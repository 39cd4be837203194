"""Hands drawn by program: ways of styling any plain drawing, so that there is no end of hands whose truths are known exactly."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.distance import distance_field, flooded, rim

FORMS = {  # by channels, the commoner ones more often
    1: ("keep", "keep", "keep", "solid", "solid", "outline", "outline", "duotone", "tinted", "hatch"),
    3: ("keep", "solid", "solid", "outline", "duotone", "duotone", "duotone", "tinted", "tinted", "hatch"),
}
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
    badge: str  # behind it: "none", "disc", "square", "round"; the ink is then left out of it
    shadow: tuple[int, int]  # pixels across and down; none where both are 0
    rough: float  # deviation of a pen's waver, in pixels
    cells: int  # pixels a side of pixel art; 0 is none
    slope: float  # of hatching, in turns
    pitch: float  # of hatching, in pixels
    colours: tuple[Tensor, ...]  # in [-1, 1], [C] each: of ground, lines and shadow, and one or more of what is filled


def draw_hand(rng: torch.Generator, channels: int) -> ProgramHand:
    """One at random: mostly few changes, at times many; in gray or in colour."""

    def chance(share: float) -> bool:
        return float(torch.rand((), generator=rng)) < share

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=rng))

    def one_of(*names: str) -> str:
        return names[int(torch.randint(len(names), (), generator=rng))]

    form = one_of(*FORMS[channels])
    badge = one_of("disc", "square", "round") if chance(0.12) else "none"
    shadow = (round(between(-4, 4)), round(between(-4, 4))) if chance(0.12) else (0, 0)
    return ProgramHand(
        form=form,
        weight=between(-1.2, 2.2) if chance(0.75) else 0.0,
        line=between(0.6, 1.9),
        soft=between(0.6, 2.2) if chance(0.4) else 0.0,
        slant=between(-0.3, 0.3) if chance(0.25) else 0.0,
        wide=between(0.7, 1.0) if chance(0.25) else 1.0,
        badge=badge,
        shadow=shadow,
        rough=between(0.3, 0.9) if chance(0.15) else 0.0,
        cells=int(one_of("2", "3", "4")) if chance(0.1) else 0,
        slope=between(0, 0.5),
        pitch=between(4, 8),
        colours=_tones(rng) if channels == 1 else _colours(rng),
    )


def styled(coverage: Tensor, hand: ProgramHand, rng: torch.Generator) -> Tensor:
    """Plain drawings, ink [N, 1, S, S] in [0, 1], by this hand: images [N, C, S, S] in [-1, 1], gray ones with ink 1."""
    side = coverage.shape[-1]
    if hand.slant or hand.wide != 1 or hand.badge != "none":
        room = 0.7 if hand.badge != "none" else 1.0
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
    ground, line, shade, *fills = (colour.view(1, -1, 1, 1) for colour in hand.colours)
    which = torch.randint(len(fills), (len(ink),), generator=rng)
    fill = torch.cat(fills)[which]
    if hand.badge != "none":
        behind = torch.lerp(ground, fill, _badge(hand.badge, side))
        return _in_cells(torch.lerp(behind, ground, ink), hand.cells)
    image = ground.expand(len(ink), -1, side, side)
    if any(hand.shadow):
        image = torch.lerp(image, shade, whole.roll(hand.shadow[::-1], (2, 3)))
    if tone is not None:
        image = torch.lerp(image, fill, tone)
    return _in_cells(torch.lerp(image, fill if hand.form == "solid" and len(hand.colours[0]) == 3 else line, ink), hand.cells)


def _in_cells(images: Tensor, cells: int) -> Tensor:
    """Images [N, C, S, S] as pixel art of so many pixels a side."""
    if not cells:
        return images
    side = images.shape[-1]
    small = F.interpolate(images[..., cells // 2 :, cells // 2 :], size=(side // cells,) * 2, mode="nearest")
    return F.interpolate(small, size=(side, side), mode="nearest")


def _tones(rng: torch.Generator) -> tuple[Tensor, ...]:
    """Of gray images: nothing, ink, and two tones between."""
    shade, fill = (torch.rand(2, generator=rng) * torch.tensor([0.9, 1.1]) - 0.6).split(1)
    return torch.tensor([-1.0]), torch.tensor([1.0]), shade, fill


def _colours(rng: torch.Generator) -> tuple[Tensor, ...]:
    """A palette: mostly a white ground and dark lines, and one to four fills of one strength and lightness."""
    draw = torch.rand(12, generator=rng).tolist()
    white, black = torch.ones(3), -torch.ones(3)
    ground = white if draw[0] < 0.8 else _tinted(draw[1], 0.3, 0.85) if draw[0] < 0.9 else _tinted(draw[1], 0.3, -0.7)
    dark = bool(ground.mean() > 0)
    line = (black if dark else white) if draw[2] < 0.4 else _tinted(draw[3], 0.8, -0.5 if dark else 0.6)
    count, strength, light = 1 + int(4 * draw[4]), 0.4 + 0.6 * draw[5], 0.7 * draw[6] - 0.2
    hue, apart = draw[7], 0.1 + 0.3 * draw[8]
    fills = [_tinted(hue + apart * number, strength, light) for number in range(count)]
    return ground, line, torch.lerp(ground, black if dark else white, 0.15 + 0.4 * draw[9]), *fills


def _tinted(hue: float, strength: float, light: float) -> Tensor:
    """A colour [3] of a hue in turns, a strength in [0, 1] and a mean in [-1, 1]."""
    wave = torch.cos(2 * torch.pi * (hue + torch.tensor([0.0, -1 / 3, 1 / 3])))
    return (light + strength * wave * (1 - abs(light))).clamp(-1, 1)


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
    """How much of each pixel a badge covers: [1, 1, S, S]."""
    axis = torch.arange(side) + 0.5 - side / 2
    x, y = axis[None].abs(), axis[:, None].abs()
    half = side / 2 - 2
    if kind == "disc":
        field = half - (x.square() + y.square()).sqrt()
    else:
        corner = 0.3 * half if kind == "round" else 0.0
        over_x, over_y = (x - half + corner).clamp(min=0), (y - half + corner).clamp(min=0)
        field = corner - (over_x.square() + over_y.square()).sqrt() if corner else torch.minimum(half - x, half - y)
    return _cover(field)[None, None]
