"""Styling by program: plain drawings made heavier, hollow, filled, rounder, slanted, toned, put on a badge, shaken."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.distance import REACH, distance_field, flooded, rim
from metagan_cli.images.gradients import slopes
from metagan_cli.images.ink import places
from metagan_cli.images.paints import EDGE

FORMS = (
    "keep",  # its ink
    "solid",  # filled, but for its details
    "outline",  # hollow
    "tinted",  # its ink on a tone
    "duotone",  # hollow, on a tone
    "inlay",  # its details on a tone
    "hatch",  # hollow, and hatched
)
STEADY = 0.1  # squared slope of distances, below which a place is no edge's
SAME = 0.3  # pixels, by which two distances found from pixels may differ that are from one edge
NEVER = -1e4  # the logit of a paint that is not there
TONED = ("duotone", "tinted", "inlay")  # forms whose whole is filled with a tone


@dataclass(frozen=True)
class Styling:
    """What a hand drawn by program makes of any plain drawing."""

    form: str  # what becomes of a drawing: one of FORMS
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
    size: float = 1.0  # times as large
    nib: float = 0.0  # pixels that the edges of level strokes move outwards besides, as a broad pen's do, or inwards

    @property
    def moves(self) -> bool:
        """Whether drawings are laid out otherwise than they were."""
        return bool(self.slant) or self.wide != 1 or self.size != 1 or self.badge != "none"


INK = (torch.tensor([-1.0]), torch.tensor([1.0]), torch.tensor([-1.0]), torch.tensor([-0.4]))  # gray: ground, lines, shadow, tone
PLAIN = Styling("keep", 0.0, 1.0, 0.0, 0.0, 1.0, "none", (0, 0), 0.0, 0, 0.0, 4.0, INK)  # which changes nothing


class Fields(NamedTuple):
    """Distances in pixels [N, 1, S, S], above 0 inside, from the edges of plain drawings' parts."""

    ink: Tensor
    whole: Tensor  # of ink with all that it encloses
    details: Tensor  # of ink apart within, or of holes in solids

    def by(self, ink: Tensor) -> "Fields":
        """The same where distances of ink are known better: edges of the whole and of details are edges of ink as well."""

        def better(field: Tensor, sign: float) -> Tensor:
            return torch.where((field - sign * self.ink).abs() < SAME, sign * ink, field)

        return Fields(ink, better(self.whole, 1.0), better(better(self.details, 1.0), -1.0))


def styled(coverage: Tensor, styling: Styling, rng: torch.Generator) -> Tensor:
    """Plain drawings, ink [N, 1, S, S] in [0, 1], so styled: images [N, C, S, S] in [-1, 1], gray ones with ink 1."""
    return drawn_from(fields_of(laid_out(coverage, styling)), styling, rng)


def laid_out(coverage: Tensor, styling: Styling, margin: float = 0.0) -> Tensor:
    """Ink [N, 1, S, S], slanted, condensed, and with room for a badge around it; it stays so much, a share, from the border."""
    if not styling.moves:
        return coverage
    back = torch.linalg.inv(_linear(styling)).expand(len(coverage), 2, 2)
    low, high = _ends(coverage, styling)
    inwards = (2 * margin - 1 - low).clamp(min=0) - (high - 1 + 2 * margin).clamp(min=0)  # for it to stay in its square
    grid = F.affine_grid(torch.cat([back, -back @ inwards[..., None]], 2), list(coverage.shape), align_corners=False)
    return F.grid_sample(coverage, grid, align_corners=False)


def fitting(coverage: Tensor, styling: Styling, room: float) -> Styling:
    """The styling, by which ink [1, 1, S, S] becomes smaller where it would be longer than `room`, a share of its square."""
    low, high = _ends(coverage, styling)
    longest = float((high - low).amax()) / 2
    return replace(styling, size=styling.size * room / longest) if longest > room else styling


def _linear(styling: Styling) -> Tensor:
    """The linear map [2, 2] of a styling."""
    room = styling.size * (0.7 if styling.badge != "none" else 1.0)
    return torch.tensor([[styling.wide * room, -styling.wide * styling.slant * room], [0, room]])


def _ends(coverage: Tensor, styling: Styling) -> tuple[Tensor, Tensor]:
    """Between where ink [N, 1, S, S] lies across and down when it is laid out: [N, 2] each, in half sides from the middle."""
    side = coverage.shape[-1]
    place = places(side, coverage.device)
    points = torch.stack([place.expand(side, side), place[:, None].expand(side, side)]).flatten(1)
    ends, inked = _linear(styling) @ points, coverage[:, 0].flatten(1)[:, None] > 0.5
    return torch.where(inked, ends, 1.0).amin(2) - 1 / side, torch.where(inked, ends, -1.0).amax(2) + 1 / side


def fields_of(coverage: Tensor, finer: int = 1) -> Fields:
    """Of ink [N, 1, S, S] in [0, 1], which is drawn `finer` times as large: [N, 1, S / finer, S / finer].

    Near edges distances are as exact as the larger drawing; what is farther from them than it tells, the smaller one does.
    """
    own = Fields(*distance_field(torch.cat([coverage, *anatomy(coverage)])).chunk(3))
    if finer == 1:
        return own
    coarse = fields_of(F.avg_pool2d(coverage, finer))
    near = (F.max_pool2d(field.abs(), finer) < REACH - 0.5 for field in own)
    exact = (F.avg_pool2d(field, finer) / finer for field in own)
    return Fields(*(torch.where(*parts) for parts in zip(near, exact, coarse, strict=True)))


def drawn_from(fields: Fields, styling: Styling, rng: torch.Generator) -> Tensor:
    """What a styling makes of drawings that are laid out already: images [N, C, S, S] in [-1, 1]."""
    side, count = fields.ink.shape[-1], len(fields.ink)
    fields = softened(fields, styling)
    if styling.rough:
        waver = F.interpolate(torch.randn(count, 1, 20, 20, generator=rng), size=(side, side), mode="bicubic")
        fields = Fields(*(field + styling.rough * waver for field in fields))
    ink, whole = (_cover(field) for field in edges(fields, styling))
    ground, line, shade, *fills = (colour.view(1, -1, 1, 1) for colour in styling.colours)
    fill = torch.cat(fills)[torch.randint(len(fills), (count,), generator=rng)]
    if styling.badge != "none":
        behind = torch.lerp(ground, fill, _badge(styling.badge, side))
        return _in_cells(torch.lerp(behind, ground, ink), styling.cells)
    image = ground.expand(count, -1, side, side)
    if any(styling.shadow):
        image = torch.lerp(image, shade, whole.roll(styling.shadow[::-1], (2, 3)))
    if styling.form in TONED:
        image = torch.lerp(image, fill, whole)
    coloured = styling.form == "solid" and len(styling.colours[0]) == 3
    return _in_cells(torch.lerp(image, fill if coloured else line, ink), styling.cells)


def edges(fields: Fields, styling: Styling) -> tuple[Tensor, Tensor]:
    """Distances in pixels from the edges of what lines cover, and from those of the whole drawing: [N, 1, S, S] each."""
    whole, half = fields.whole + styling.weight, styling.line + 0.5 * max(0.0, styling.weight)
    if styling.form in ("keep", "tinted"):
        return fields.ink + styling.weight + _by_nib(fields.ink, styling), whole
    if styling.form == "solid":
        return torch.minimum(whole, 0.3 * styling.weight - fields.details), whole
    if styling.form == "inlay":
        return fields.details + 0.5 * styling.weight, whole
    ring = torch.maximum(half - (_deeper(fields.whole, 2 * half) - half).abs(), fields.details + 0.5 * styling.weight)
    hatch = torch.minimum(whole, stripes(fields.ink.shape[-1], styling)) if styling.form == "hatch" else ring
    return torch.maximum(ring, hatch), whole


def _by_nib(field: Tensor, styling: Styling) -> Tensor:
    """How far a nib moves edges: fully where they are level, not where they are upright."""
    if not styling.nib:
        return torch.zeros(())
    across, down = slopes(field)
    return styling.nib * down.square() / (across.square() + down.square()).clamp(min=STEADY)


def _deeper(field: Tensor, reach: float) -> Tensor:
    """Distances inside, told up to `reach` at least: where that is far, from an edge further within."""
    within = REACH - 1.0
    if reach + 1 <= within:
        return field
    return torch.where(field > within, distance_field(_cover(field - within)) + within, field)


def styled_logits(fields: Fields, styling: Styling) -> Tensor:
    """Logits [N, 3, S, S] of ground, ink and tone, of drawings that are laid out already."""
    fields = softened(fields, styling)
    ink, whole = edges(fields, styling)
    beneath = whole - 0.5 * (ink + 1).clamp(0, 1)  # what is filled ends within lines that end with it
    tone = EDGE * beneath if styling.form in TONED else torch.full_like(whole, NEVER)
    ground = torch.zeros_like(ink)
    return torch.cat([ground, torch.maximum(ground, tone) + EDGE * ink, tone], 1)


def softened(fields: Fields, styling: Styling) -> Fields:
    """Fields whose corners are as round as a styling makes them."""
    return Fields(*(blurred(field, styling.soft) for field in fields)) if styling.soft else fields


def _in_cells(images: Tensor, cells: int) -> Tensor:
    """Images [N, C, S, S] as pixel art of so many pixels a side."""
    if not cells:
        return images
    side = images.shape[-1]
    small = F.interpolate(images[..., cells // 2 :, cells // 2 :], size=(side // cells,) * 2, mode="nearest")
    return F.interpolate(small, size=(side, side), mode="nearest")


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Maps [N, 1, S, S] under a Gaussian."""
    reach = int(3 * deviation + 0.5)
    axis = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
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


def stripes(side: int, styling: Styling) -> Tensor:
    """Distances in pixels from the edges of hatching on a whole square: [S, S]."""
    axis = torch.arange(side, dtype=torch.float32)
    angle = torch.tensor(2 * torch.pi * styling.slope)
    phase = (axis[None] * angle.cos() + axis[:, None] * angle.sin()) / styling.pitch
    return (0.25 - (phase % 1 - 0.5).abs()) * styling.pitch


def _cover(field: Tensor) -> Tensor:
    return (field + 0.5).clamp(0, 1)


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
