"""Regions of pictures: what is even in one, and the parts that two of one layout differ in."""

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


@torch.no_grad()
def even_regions(images: Tensor, apart: float) -> Tensor:
    """The pixel that stands for each pixel's region, int [N, S * S], of images [N, C, S, S].

    Neighbours belong together where no channel differs by more than `apart`.
    """
    across, down = ((images.diff(dim=d).abs().amax(1) <= apart) for d in (3, 2))
    number = torch.arange(images[0, 0].numel(), device=images.device)
    label = number.view(1, *images.shape[2:]).repeat(len(images), 1, 1)
    while True:
        wider = label.clone()
        for linked, one, other in ((across, label[:, :, 1:], label[:, :, :-1]), (down, label[:, 1:], label[:, :-1])):
            most = torch.where(linked, one.maximum(other), -1)
            first, second = (wider[:, :, 1:], wider[:, :, :-1]) if linked is across else (wider[:, 1:], wider[:, :-1])
            first.copy_(first.maximum(most))
            second.copy_(second.maximum(most))
        flat = wider.flatten(1)
        flat = flat.gather(1, flat)  # as far as the pixel that stands for this one has come already
        if torch.equal(flat, label.flatten(1)):
            return flat
        label = flat.view_as(label)


def region_means(field: Tensor, regions: Tensor, smallest: int) -> tuple[Tensor, Tensor]:
    """The means of a field [N, C, S, S] over each pixel's region, and whether that has `smallest` pixels or more: [N, 1, S, S]."""
    flat = field.flatten(2)
    index = regions[:, None].expand_as(flat)
    sums = torch.zeros_like(flat).scatter_add(2, index, flat)
    count = torch.zeros_like(flat[:, :1]).scatter_add(2, regions[:, None], torch.ones_like(flat[:, :1]))
    size = count.gather(2, regions[:, None])
    means = sums.gather(2, index) / size
    return means.view_as(field), (size >= smallest).view(len(field), 1, *field.shape[2:])
