"""Where the ink of images lies."""

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.ground import ground_of

FAINT = 0.1  # distance from the ground that is too little to be ink
FULL = 0.6  # how far from mid-gray what is nearly ink or nearly ground lies
EDGE = 5  # pixels a side of the neighbourhood in which the soft edge of a line has both
HALF_TONES = 0.02  # share of pixels in between and on no edge from which images are no ink: of ink it is below 0.005


def ink_of(images: Tensor) -> Tensor:
    """Ink [M, 1, S, S] in [-1, 1] of images [M, C, S, S]: of colours, how far they are from the ground, by the furthest."""
    if images.shape[1] == 1:
        return images
    apart = (images - ground_of(images)[0][..., None, None]).abs().amax(1, keepdim=True)
    return 2 * apart / apart.amax((2, 3), keepdim=True).clamp(min=FAINT) - 1


def is_ink(images: Tensor) -> bool:
    """Whether gray images [N, 1, S, S] in [-1, 1] have ink and ground alone, and nothing in between but on edges."""
    most, least = (sign * F.max_pool2d(sign * images, EDGE, 1, EDGE // 2) for sign in (1, -1))
    between = (images.abs() < FULL) & ((most < FULL) | (least > -FULL))
    return bool(between.float().mean() < HALF_TONES)


def places(side: int, device: torch.device) -> Tensor:
    """The middles of `side` pixels on an axis from -1 to 1: [side]."""
    return torch.linspace(1 / side - 1, 1 - 1 / side, side, device=device)


def profiles(ink: Tensor) -> Tensor:
    """How much of the ink [N, 1, S, S], none of it negative, lies where along x and along y: [N, 2, S], each of sum 1."""
    mass = ink.sum((1, 2, 3)).clamp(min=1e-3)[:, None, None]
    return torch.stack([ink.sum((1, 2)), ink.sum((1, 3))], 1) / mass


def centre(shares: Tensor) -> Tensor:
    """The mean place of ink with profiles [N, 2, S]: x and y [N, 2] in [-1, 1], the middle where there is none."""
    return (shares * places(shares.shape[2], shares.device)).sum(2)  # not a matrix product, which autocast would halve
