"""The parts that two pictures of one layout differ in."""

import torch
import torch.nn.functional as F
from torch import Tensor

MUCH, SLIGHTLY = 0.35, 0.06  # differences of a channel, in [-1, 1], that make a part, and that go with one


@torch.no_grad()
def parts_of(one: Tensor, other: Tensor) -> Tensor:
    """The pixel that stands for each pixel's part, int [N, S * S], where images [N, C, S, S] differ from others.

    Pixels that differ much and touch are a part; those around that differ slightly go with the nearest, or are parts by
    themselves. Where images agree each pixel stands for itself.
    """
    apart = (one - other).abs().amax(1, keepdim=True)
    much, slightly = apart > MUCH, apart > SLIGHTLY
    number = torch.arange(1.0, apart[0].numel() + 1, device=apart.device).view_as(apart[:1])
    part = _spread(number * much, much)
    part = _spread(part, slightly, to_others=False)
    rest = slightly & (part == 0)
    part = part + _spread(number * rest, rest)
    return (torch.where(part > 0, part, number) - 1).long().flatten(1)


def _spread(part: Tensor, over: Tensor, to_others: bool = True) -> Tensor:
    """Numbers [N, 1, S, S], 0 for none, from pixel to pixel: the largest wins, or only pixels without a number take one."""
    while True:
        reached = over if to_others else over & (part == 0)
        wider = torch.where(reached, _largest_around(part), part)
        if torch.equal(wider, part):
            return part
        part = wider


def _largest_around(x: Tensor) -> Tensor:
    """The largest of each pixel and its eight neighbours, of none below 0: one axis after the other, much faster than pooling."""
    x = F.pad(x, 4 * [1])
    x = x[..., :-2].maximum(x[..., 1:-1]).maximum(x[..., 2:])
    return x[..., :-2, :].maximum(x[..., 1:-1, :]).maximum(x[..., 2:, :])
