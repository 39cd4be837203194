"""Blemished images: real ones spoilt in the ways that samples fail, as further negatives for the critic.

A critic that only ever sees real images beside samples learns what tells those two apart at the moment: for long stretches
of training mere distance from the support image, and then a sample that has lost a stroke looks more real to it than a
clean one. Negatives made from real images (negative data augmentation: Sinha et al. 2021), among them images of another
task (matching-aware critics: Reed et al. 2016), say outright what a real image of the task is not, whatever the generator
does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.resampling import sample_bilinear, sample_pictures
from metagan_cli.ranks import ALONE, Part

KINDS = ("foreign", "erased", "pasted", "filled", "bent", "doubled")  # the last only of colour pictures
RADIUS = (0.12, 0.6)  # of the disc that is erased, pasted or filled, in half sides
BEND, BEND_CELLS = (0.16, 0.35), 4  # deviation of a bend in half sides, and the cells a side that it is drawn on
CRISP = 1.3  # contrast regained after a bend, as softness alone would give it away
BRUSH = 7  # pixels of 64 that ink grows to, where filled
GHOST = (0.3, 0.7)  # what is left of the one image where two are laid over each other
ALSO = 0.3  # share of a pack's other images that are blemished as well


def foreign_of(images: Tensor) -> Tensor:
    """For images [B, N, C, S, S] those of the task before, in a ring; for those of one task alone their mirror images."""
    return images.roll(1, 0) if len(images) > 1 else images.flip(4)


class Chance:
    """What is drawn for the images of a batch's tasks, N each, of which a part is worked at."""

    def __init__(self, part: Part, count: int, rng: torch.Generator) -> None:
        self.part, self.count, self.rng = part, count, rng

    def shares(self, *shape: int) -> Tensor:
        """Numbers in [0, 1), any as likely: [B N, *shape]."""
        return self._own(torch.rand(self.part.tasks, self.count, *shape, generator=self.rng))

    def normal(self, *shape: int) -> Tensor:
        """Numbers around 0 with deviation 1: [B N, *shape]."""
        return self._own(torch.randn(self.part.tasks, self.count, *shape, generator=self.rng))

    def _own(self, drawn: Tensor) -> Tensor:
        return self.part.of(drawn).flatten(0, 1)


def blemish_packs(images: Tensor, foreign: Tensor, pack: int, rng: torch.Generator, part: Part | None = None) -> Tensor:
    """Images [B, N, C, S, S] in [-1, 1], where in each run of `pack` images at least one is spoilt, by a random kind.

    Foreign ones are as many of other tasks; the images are of a `part` of a batch's tasks, or of all.
    """
    b, n = images.shape[:2]
    part = ALONE.part(b) if part is None else part
    chosen = torch.rand(part.tasks, n // pack, pack, generator=rng) < ALSO
    chosen.scatter_(2, torch.randint(pack, (part.tasks, n // pack, 1), generator=rng), True)
    spoilt = blemish(images, foreign, Chance(part, n, rng))
    return torch.where(part.of(chosen).view(b, n, 1, 1, 1).to(images.device), spoilt, images)


def blemish(images: Tensor, foreign: Tensor, chance: Chance) -> Tensor:
    """All images [B, N, C, S, S] in [-1, 1] spoilt: each by one of KINDS, at a place where there is ink."""
    b, n, c = images.shape[:3]
    ground = -1.0 if c == 1 else 1.0
    flat, other = images.flatten(0, 1), foreign.flatten(0, 1)
    discs = _discs(flat - ground, chance), _discs(other - ground, chance)
    share = _within(GHOST, chance.shares(1, 1, 1)).to(flat.device)
    grown = -ground * F.max_pool2d(-ground * flat, *_window(flat.shape[-1]))
    versions = torch.stack(
        [
            other,
            torch.lerp(flat, torch.full_like(flat, ground), discs[0]),
            torch.lerp(flat, other, discs[1]),
            torch.lerp(flat, grown, discs[0]),
            _bent(flat, ground, chance),
            torch.lerp(flat, images.roll(1, 1).flatten(0, 1), share),
        ]
    )
    kind = _kinds(chance.shares(), c).to(images.device)
    return torch.as_tensor(versions[kind, torch.arange(b * n, device=images.device)].unflatten(0, (b, n)))


def _kinds(shares: Tensor, channels: int) -> Tensor:
    return (shares * (len(KINDS) if channels == 3 else len(KINDS) - 1)).long()


def _within(bounds: tuple[float, float], shares: Tensor) -> Tensor:
    """Numbers between two bounds, at shares of the way."""
    return bounds[0] + (bounds[1] - bounds[0]) * shares


def _window(side: int) -> tuple[int, int, int]:
    """Size, stride and padding of a brush."""
    reach = max(1, round(BRUSH * side / 64) // 2)
    return 2 * reach + 1, 1, reach


def _discs(ink: Tensor, chance: Chance) -> Tensor:
    """Masks [N, 1, S, S] in [0, 1]: a disc around a random pixel of each picture's ink [N, C, S, S]."""
    side = ink.shape[-1]
    drawn = (ink.abs().mean(1).flatten(1).cpu().double() + 1e-6).cumsum(1)
    place = torch.searchsorted(drawn, chance.shares(1).double() * drawn[:, -1:])[:, 0]
    centre = torch.stack([place // side, place % side], 1)[:, :, None] * (2 / side) - 1
    axis = torch.linspace(-1, 1, side)
    square = (axis - centre).square()  # [N, 2, S]: down, and across
    radius = _within(RADIUS, chance.shares(1, 1))
    apart = (square[:, 0, :, None] + square[:, 1, None, :]).sqrt()
    return ((radius - apart) * side / 2).clamp(0, 1)[:, None].to(ink)


def _bent(flat: Tensor, ground: float, chance: Chance) -> Tensor:
    """Images under a smooth flow that goes further than a hand does."""
    n, side = len(flat), flat.shape[-1]
    flow = _within(BEND, chance.shares(1, 1, 1)) * chance.normal(2, BEND_CELLS, BEND_CELLS)
    flow = F.interpolate(flow, size=(side, side), mode="bicubic", align_corners=False).permute(0, 2, 3, 1).to(flat.device)
    straight = F.affine_grid(torch.eye(2, 3, device=flat.device).expand(n, -1, -1), list(flat.shape), align_corners=False)
    if flat.shape[1] == 3:
        return sample_pictures(flat, straight + flow)
    return (CRISP * (sample_bilinear(flat - ground, straight + flow) + ground)).clamp(-1, 1)
