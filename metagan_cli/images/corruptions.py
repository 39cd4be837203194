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

KINDS = ("foreign", "erased", "pasted", "filled", "bent", "doubled")  # the last only of colour pictures
RADIUS = (0.12, 0.6)  # of the disc that is erased, pasted or filled, in half sides
BEND, BEND_CELLS = (0.16, 0.35), 4  # deviation of a bend in half sides, and the cells a side that it is drawn on
CRISP = 1.3  # contrast regained after a bend, as softness alone would give it away
BRUSH = 7  # pixels of 64 that ink grows to, where filled
GHOST = (0.3, 0.7)  # what is left of the one image where two are laid over each other
ALSO = 0.3  # share of a pack's other images that are blemished as well


def blemish_packs(images: Tensor, pack: int, rng: torch.Generator) -> Tensor:
    """Images [B, N, C, S, S] in [-1, 1], where in each run of `pack` images at least one is spoilt, by a random kind."""
    b, n = images.shape[:2]
    chosen = torch.rand(b, n // pack, pack, generator=rng) < ALSO
    chosen.scatter_(2, torch.randint(pack, (b, n // pack, 1), generator=rng), True)
    spoilt = blemish(images, rng)
    return torch.where(chosen.view(b, n, 1, 1, 1).to(images.device), spoilt, images)


def blemish(images: Tensor, rng: torch.Generator) -> Tensor:
    """All images [B, N, C, S, S] in [-1, 1] spoilt: each by one of KINDS, at a place where there is ink."""
    b, n, c = images.shape[:3]
    ground = -1.0 if c == 1 else 1.0
    flat = images.flatten(0, 1)
    foreign = images.roll(1, 0).flatten(0, 1) if b > 1 else flat.flip(3)
    discs = _discs(flat - ground, rng), _discs(foreign - ground, rng)
    share = torch.empty(b * n, 1, 1, 1).uniform_(*GHOST, generator=rng).to(flat.device)
    grown = -ground * F.max_pool2d(-ground * flat, *_window(flat.shape[-1]))
    versions = torch.stack(
        [
            foreign,
            torch.lerp(flat, torch.full_like(flat, ground), discs[0]),
            torch.lerp(flat, foreign, discs[1]),
            torch.lerp(flat, grown, discs[0]),
            _bent(flat, ground, rng),
            torch.lerp(flat, images.roll(1, 1).flatten(0, 1), share),
        ]
    )
    kind = _kinds(b * n, c, rng).to(images.device)
    return torch.as_tensor(versions[kind, torch.arange(b * n, device=images.device)].unflatten(0, (b, n)))


def _kinds(count: int, channels: int, rng: torch.Generator) -> Tensor:
    return torch.randint(len(KINDS) if channels == 3 else len(KINDS) - 1, (count,), generator=rng)


def _window(side: int) -> tuple[int, int, int]:
    """Size, stride and padding of a brush."""
    reach = max(1, round(BRUSH * side / 64) // 2)
    return 2 * reach + 1, 1, reach


def _discs(ink: Tensor, rng: torch.Generator) -> Tensor:
    """Masks [N, 1, S, S] in [0, 1]: a disc around a random pixel of each picture's ink [N, C, S, S]."""
    n, side = len(ink), ink.shape[-1]
    weight = ink.abs().mean(1).flatten(1).cpu() + 1e-6
    place = torch.multinomial(weight, 1, generator=rng)[:, 0]
    centre = torch.stack([place // side, place % side], 1)[:, :, None] * (2 / side) - 1
    axis = torch.linspace(-1, 1, side)
    square = (axis - centre).square()  # [N, 2, S]: down, and across
    radius = torch.empty(n, 1, 1).uniform_(*RADIUS, generator=rng)
    apart = (square[:, 0, :, None] + square[:, 1, None, :]).sqrt()
    return ((radius - apart) * side / 2).clamp(0, 1)[:, None].to(ink.device)


def _bent(flat: Tensor, ground: float, rng: torch.Generator) -> Tensor:
    """Images under a smooth flow that goes further than a hand does."""
    n, side = len(flat), flat.shape[-1]
    size = torch.empty(n, 1, 1, 1).uniform_(*BEND, generator=rng)
    flow = size * torch.randn(n, 2, BEND_CELLS, BEND_CELLS, generator=rng)
    flow = F.interpolate(flow, size=(side, side), mode="bicubic", align_corners=False).permute(0, 2, 3, 1).to(flat.device)
    straight = F.affine_grid(torch.eye(2, 3, device=flat.device).expand(n, -1, -1), list(flat.shape), align_corners=False)
    if flat.shape[1] == 3:
        return sample_pictures(flat, straight + flow)
    return (CRISP * (sample_bilinear(flat - ground, straight + flow) + ground)).clamp(-1, 1)
