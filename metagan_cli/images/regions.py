"""The parts that two pictures of one layout differ in."""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def parts_of(one: Tensor, other: Tensor, much: float, slightly: float) -> Tensor:
    """The pixel that stands for each pixel's part, int [N, S * S], where images [N, C, S, S] differ from others.

    Pixels that differ by more than `much` in a channel and touch are a part; those around that differ by more than `slightly`
    go with the nearest, or are parts by themselves. Where images agree each pixel stands for itself.
    """
    apart = (one - other).abs().amax(1, keepdim=True)
    clear, faint = apart > much, apart > slightly
    number = torch.arange(1.0, apart[0].numel() + 1, device=apart.device).view_as(apart[:1])
    part = _spread(number * clear, clear)
    part = _spread(part, faint, to_others=False)
    rest = faint & (part == 0)
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
