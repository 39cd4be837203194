"""The renderer: a plan carried out on pictures of any size, so that samples are as large and as sharp as those."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.images.paints import Paints, covered, mixed
from metagan_cli.images.palette import recolouring, with_colours
from metagan_cli.images.regions import EVEN, Areas, even_areas
from metagan_cli.images.resampling import at_side, enlarged, sample_bicubic, sample_bilinear, sample_nearest, sample_pictures
from metagan_cli.networks.generator.flat import Palette, follow_regions, palette_of, uncoloured
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.generator.repaint import CLIP, SHARPEN
from metagan_cli.networks.generator.tint import tint

KEPT = 0.5  # the residual, in logits, that leaves less than half of a picture's own detail
KEPT_VALUES = 1.5e7  # of pictures that are remembered, and of their areas
BESIDE = 2  # pixels beside a part that its edges are judged by
FINE = 256  # pixels a side, at most, that a flat-coloured folder's colours are looked for in


class Picture(NamedTuple):
    """A support image at the side that samples are drawn at."""

    colour: Tensor  # [C, L, L] in [-1, 1], on its ground
    alpha: Tensor | None = None  # [1, L, L] in [0, 1], of transparent ones


class Renderer:
    """Draws the samples of one task at the side of its pictures."""

    def __init__(self, support: Tensor, picture: Callable[[int], Picture], rules: VariationRules, side: int) -> None:
        """Of support images [K, C, S, S], as the plans know them, and what finds one of them at a larger side."""
        self.support, self.rules, self.side = support, rules, side
        keep = max(2, int(KEPT_VALUES / (4 * side**2)))
        self.picture = lru_cache(keep)(picture)
        self._recolouring = cache(lambda donor, start: recolouring(support, donor, start, rules.recolour_agreement))
        self._areas = lru_cache(keep)(lambda number: even_areas(self.picture(number).colour[None], EVEN))

    @cached_property
    def palette(self) -> Palette | None:
        """The folder's colours; of a flat-coloured one also those of what is too small for the model to see an area in it."""
        if self.support.shape[1] == 1:
            return None
        seen = palette_of(self.support[None])
        if not seen.flat:
            return seen
        fine = [at_side(picture.colour[None], min(self.side, FINE)) for picture in self.pictures()]
        return replace(palette_of(torch.cat(fine)[None]), flat=seen.flat)

    def pictures(self) -> Iterator[Picture]:
        """All pictures, one after the other."""
        return map(self.picture, range(len(self.support)))

    @torch.no_grad()
    def draw(self, plan: Plan, number: int) -> Picture:
        """Sample number `number` of a plan, in [-1, 1]."""
        one = plan.part(number)
        (bent, alpha), found = self._bent(one)
        if self.palette is None:
            return Picture(bent[0], alpha)
        tinted = tint(bent, enlarged(one.amounts, bent.shape[-1]), found, self.rules)
        if found is not None:
            tinted = follow_regions(tinted, tinted, bent, found, self.palette)
        return Picture(uncoloured(tinted, self.support[None])[0].clamp(-1, 1), alpha)

    def _bent(self, one: Plan) -> tuple[Picture, Areas | None]:
        """The one sample of a plan, with its parts and bent, [1, C, L, L], before its colours change; and its areas."""
        mixed, areas = self._with_parts(one)
        grid = grid_at(one.grid, mixed.colour.shape[-1])
        alpha = None if mixed.alpha is None else sample_bilinear(mixed.alpha[None], grid)[0].clamp(0, 1)
        if self.palette is None:
            return Picture(self._inked(mixed.colour[None], grid, one.residual), alpha), None
        bent = sample_pictures(mixed.colour[None], grid).clamp(-1, 1)
        return Picture(bent, alpha), None if areas is None else _moved(areas, grid)

    def paint(self, paints: Paints, logits: Tensor) -> Picture:
        """What starts from a guest, by its paints' logits [P, S, S]: edges run where they cross, as sharp as L pixels can be."""
        finer = self.side / logits.shape[-1]
        large = finer * enlarged(logits[None], self.side)
        shares = covered(large)
        return Picture(mixed(shares[None], paints)[0, 0].clamp(-1, 1), 1 - shares[0, :1])

    def parts(self, one: Plan, side: int) -> Iterator[tuple[int, Tensor]]:
        """Which images lend parts to the one sample of a plan, and where: masks [1, side, side] in [0, 1], one by one."""
        seen = self.support[int(one.start)]
        for donor, taken in zip(one.donors[0].tolist(), one.taken[0], strict=True):
            if taken.any():
                given = with_colours(self.support[donor], *self._recolouring(donor, int(one.start)))
                yield donor, parts_at(seen, given, taken, side, self.rules.part_margin)
                seen = torch.lerp(seen, given, taken)

    def _with_parts(self, one: Plan) -> tuple[Picture, Areas | None]:
        """The picture that a sample starts from, with the parts that others give; and, in flat-coloured folders, its areas."""
        start = int(one.start)
        mixed = self.picture(start)
        side = mixed.colour.shape[-1]
        areas = self._areas(start) if self.palette is not None and bool(self.palette.flat) else None
        for donor, mask in self.parts(one, side):
            other, box = self.picture(donor), _box(mask[0] > 0)
            mask = mask[box]
            given = with_colours(other.colour[box], *self._recolouring(donor, start))
            if areas is not None:
                taken = torch.zeros(1, side, side, dtype=torch.bool)
                taken[box] = ((given - mixed.colour[box]).abs().amax(0) > EVEN) & (mask > 0.5)
                areas = _joined(areas, self._areas(donor), self._shared_corners(mixed.colour, donor, start), taken)
            alpha = mixed.alpha
            if alpha is not None and other.alpha is not None:
                alpha = _mixed(alpha, other.alpha[box], mask, box)
            mixed = Picture(_mixed(mixed.colour, given, mask, box), alpha)
        return mixed, areas

    def _shared_corners(self, colour: Tensor, donor: int, start: int) -> list[int]:
        """The upper corners, as pixels' numbers, where a donor in the colours of a sample's start has that picture's colour."""
        far = colour.shape[-1] - 1
        given = with_colours(self.picture(donor).colour[:, :1, [0, far]], *self._recolouring(donor, start))
        shared = (given - colour[:, :1, [0, far]]).abs().amax((0, 1)) <= EVEN
        return [corner for corner, same in zip((0, far), shared.tolist(), strict=True) if same]

    def _inked(self, ink: Tensor, grid: Tensor, residual: Tensor) -> Tensor:
        """Ink [1, 1, L, L] at the places of a grid, with strokes closed and opened as a residual [1, 1, S, S] says.

        Where that is strong, edges run where the model's own pixels say, drawn as sharply as L pixels can; elsewhere the ink's
        own detail stays.
        """
        side, coarse = ink.shape[-1], residual.shape[-1]
        bent = (sample_bicubic(ink + 1, grid) - 1).clamp(-1, 1)
        if not residual.any():
            return bent
        times = side // coarse + 1 - (side // coarse) % 2  # an odd window of one coarse pixel
        seen = F.avg_pool2d(F.pad(bent, 4 * [times // 2], mode="replicate"), times, 1)
        added = enlarged(residual, side)
        logits = SHARPEN * torch.atanh(seen.clamp(-CLIP, CLIP)) + added
        own = torch.exp2(-(added / KEPT).square())
        return torch.lerp(torch.tanh(logits * side / coarse), bent, own)


def grid_at(grid: Tensor, side: int) -> Tensor:
    """A grid [N, S, S, 2] for `side` pixels: [N, side, side, 2]."""
    flow = (grid - _still(grid.shape[1]).to(grid)).permute(0, 3, 1, 2)
    return _still(side).to(grid) + enlarged(flow, side).permute(0, 2, 3, 1)


@lru_cache(maxsize=4)
def _still(side: int) -> Tensor:
    """The grid [1, side, side, 2] that moves nothing."""
    return F.affine_grid(torch.eye(2, 3)[None], [1, 1, side, side], align_corners=False)


def parts_at(base: Tensor, other: Tensor, taken: Tensor, side: int, margin: float) -> Tensor:
    """Where parts of another image are taken, at `side` pixels: [1, side, side] in [0, 1], soft where the images agree.

    Of two images [3, S, S], what is taken at their size [S, S], and the least difference of parts.
    """
    taken = taken[None, None]
    left = ((base - other).abs().amax(0) > margin).float() * (1 - taken)
    left = F.max_pool2d(-F.max_pool2d(-left, 3, 1, 1), 3, 1, 1)  # of the parts that are not taken what is more than a sliver
    wider = F.max_pool2d(taken, 5, 1, 2) * (1 - left).maximum(taken)
    return F.interpolate(wider, size=(side, side), mode="bilinear", align_corners=False)[0]


def _box(mask: Tensor) -> tuple[slice, ...]:
    """All channels, and the rows and columns of a mask, bool [L, L], that hold all of it and what soft edges there look at."""
    lines = (mask.any(dim).nonzero() for dim in (1, 0))
    return slice(None), *(slice(max(0, int(there[0]) - BESIDE), int(there[-1]) + 1 + BESIDE) for there in lines)


def _mixed(image: Tensor, given: Tensor, mask: Tensor, box: tuple[slice, ...]) -> Tensor:
    """An image [C, L, L] in whose box another part is given, as far as its mask says."""
    mixed = image.clone()
    mixed[box] = torch.lerp(image[box], given, mask)
    return mixed


def _joined(areas: Areas, others: Areas, corners: list[int], taken: Tensor) -> Areas:
    """The areas of one picture, and where they are taken, bool [1, L, L], those of another.

    What reaches these corners, as grounds do, is one area in both.
    """
    own, further = areas.regions, others.regions + int(areas.regions.max()) + 1
    for corner in corners:
        further = torch.where(others.regions == others.regions[:, corner], own[:, corner], further)
    regions = torch.where(taken.flatten()[None], further, own)
    return Areas(regions, torch.where(taken[None], others.inside, areas.inside))


def _moved(areas: Areas, grid: Tensor) -> Areas:
    """Areas at the places of a grid [1, L, L, 2]: each pixel is of the area of the nearest one, and one stands for each."""
    side = grid.shape[1]
    place = torch.arange(side * side, dtype=torch.float64, device=grid.device).view(1, 1, side, side)
    index = sample_nearest(place, grid.clamp(1 / side - 1, 1 - 1 / side).double()).long().flatten(1)
    beyond = (grid.abs() > 1).any(3).flatten(1)
    inside = areas.inside.flatten(1).gather(1, index) & ~beyond
    regions = areas.regions.gather(1, index)
    none = torch.zeros(int(regions.max()) + 1, dtype=torch.long, device=grid.device)
    stands = none.scatter_reduce(0, regions[0], torch.arange(side * side, device=grid.device), "amax")
    return Areas(stands[regions], inside.view_as(areas.inside))
