"""Where the ink of gray images lies."""

import torch
from torch import Tensor


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
