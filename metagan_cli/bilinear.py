"""Bilinear sampling, where asked with derivatives of every order: torch's own has only the first, and MAML needs the second."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

ALIKE, MOSTLY = 0.15, 0.85  # how far pixels of one colour may differ, and the share of a border that makes it plain

_twice = ContextVar("twice", default=False)


@contextmanager
def twice_differentiable(wanted: bool = True) -> Iterator[None]:
    """Whatever is sampled within can be differentiated again; it takes about five times as long."""
    token = _twice.set(wanted)
    try:
        yield
    finally:
        _twice.reset(token)


def sample_bilinear(images: Tensor, grid: Tensor) -> Tensor:
    """Images [N, C, S, S] at the places grid [N, H, W, 2], (x, y) in [-1, 1] from edge to edge; zero outside: [N, C, H, W].

    torch's `grid_sample` with `align_corners=False`, or the same written out.
    """
    if not _twice.get():
        return F.grid_sample(images, grid, align_corners=False)
    side = images.shape[-1]
    place = (grid + 1) * (side / 2) - 0.5
    corner = place.detach().floor()
    share = place - corner
    flat, found = images.flatten(2), torch.zeros((), device=images.device, dtype=images.dtype)
    for right in (0, 1):
        for down in (0, 1):
            x, y = corner[..., 0].long() + right, corner[..., 1].long() + down
            inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
            index = (y.clamp(0, side - 1) * side + x.clamp(0, side - 1)).flatten(1)[:, None]
            weight = (share[..., 0] if right else 1 - share[..., 0]) * (share[..., 1] if down else 1 - share[..., 1])
            taken = flat.gather(2, index.expand(-1, images.shape[1], -1)).unflatten(2, grid.shape[1:3])
            found = found + taken * (weight * inside)[:, None]
    return found


def sample_pictures(images: Tensor, grid: Tensor) -> Tensor:
    """Like `sample_bilinear`, for images [N, 3, S, S] of any ground: it goes on beyond a border that is mostly of one colour.

    Beyond any other border lies the mirror image: a picture that fills its square has no ground.
    """
    rim = border(images)
    ground = rim.median(2, keepdim=True).values
    plain = (((rim - ground).abs().amax(1) < ALIKE).float().mean(1) > MOSTLY)[:, None, None, None]
    ground = ground[..., None] * plain
    places = torch.where(plain, grid, reflected(grid, images.shape[-1]))
    return sample_bilinear(images - ground, places) + ground


def border(images: Tensor) -> Tensor:
    """The outermost pixels of images [M, C, S, S]: [M, C, 4 S]."""
    return torch.cat([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], -1)


def reflected(grid: Tensor, side: int) -> Tensor:
    """The places of a grid, with those beyond the outermost of `side` pixels' middles mirrored there: all of them are inside."""
    inside = 1 - 1 / side
    return inside * (1 - ((grid / inside + 1).remainder(4) - 2).abs())
