"""Regions of pictures: what is even in one, and the parts that two of one layout differ in."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

EVEN = 2.5 / 127.5  # by how much a channel of neighbours that are even may differ


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


class Areas(NamedTuple):
    """What is even in N pictures."""

    regions: Tensor  # int [N, S * S]: the pixel that stands for each pixel's region
    inside: Tensor  # bool [N, 1, S, S]: whether that is an area, and no line or edge


def even_areas(images: Tensor, apart: float) -> Areas:
    """The even regions of images [N, C, S, S], and which are areas."""
    regions = even_regions(images, apart)
    return Areas(regions, are_areas(regions, images.shape[-1]))


@torch.no_grad()
def even_regions(images: Tensor, apart: float) -> Tensor:
    """The pixel that stands for each pixel's region, int [N, S * S], of images [N, C, S, S].

    Neighbours belong together where no channel differs by more than `apart`.
    """
    across, down = ((images.diff(dim=d).abs().amax(1) <= apart) for d in (3, 2))
    rows, columns = _runs(across), _runs(down.transpose(1, 2)).unflatten(1, images.shape[2:]).transpose(1, 2).flatten(1)
    label = torch.arange(images[0, 0].numel(), device=images.device).expand(len(images), -1)
    while True:
        wider = label
        for runs in (rows, columns):  # the largest along each run, in turn
            wider = torch.zeros_like(wider).scatter_reduce(1, runs, wider, "amax").gather(1, runs)
        if torch.equal(wider, label):
            return label
        label = wider


def _runs(linked: Tensor) -> Tensor:
    """A number for each run of pixels that are linked along their row, bool [N, S, S - 1]: int [N, S * S]."""
    return F.pad((~linked).long(), (1, 0), value=1).flatten(1).cumsum(1) - 1


def region_means(field: Tensor, regions: Tensor) -> Tensor:
    """The means of a field [N, C, S, S] over each pixel's region."""
    flat = field.flatten(2)
    index = regions[:, None].expand_as(flat)
    sums = torch.zeros_like(flat).scatter_add(2, index, flat)
    count = torch.zeros_like(flat[:, :1]).scatter_add(2, regions[:, None], torch.ones_like(flat[:, :1]))
    return (sums / count.clamp(min=1)).gather(2, index).view_as(field)


@torch.no_grad()
def are_areas(regions: Tensor, side: int) -> Tensor:
    """Which pixels [N, 1, S, S] are of a region that holds a pixel and all its eight neighbours: areas, not lines or edges."""
    number = regions.view(-1, 1, side, side)
    around = F.pad(number.float(), 4 * [1], mode="replicate")
    most, least = F.max_pool2d(around, 3, 1), -F.max_pool2d(-around, 3, 1)
    core = (most == least).long().flatten(1)
    return torch.zeros_like(regions).scatter_reduce(1, regions, core, "amax").gather(1, regions).view_as(number) > 0
