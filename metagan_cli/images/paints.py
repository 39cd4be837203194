"""Paints: the few colours or tones that a folder's pictures are painted with, the ground's first."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.gradients import slopes
from metagan_cli.images.ground import border

PAINTS = {1: 3, 3: 8}  # at most, by channels
EDGE = 4.0  # logits a pixel away from an edge between paints
BINS = {1: 32, 3: 10}  # of a histogram, for each channel
EVEN = 0.15  # how much a channel differs within an even neighbourhood
LOOSE = 0.05  # weight of a pixel that lies in none
LEAST = 0.004  # share of all pixels, so weighed, that makes a paint
APART = {1: 0.2, 3: 0.35}  # how far paints lie apart, in [-1, 1], by channels
PALE = 0.8  # of gray ink, below which it is as pale as the darkest place


class Paints(NamedTuple):
    """The paints of B folders; what a folder has fewer of is not there."""

    colours: Tensor  # [B, P, C] in [-1, 1]
    there: Tensor  # bool [B, P]

    @property
    def own(self) -> Tensor:
        """Those that the first folder has: [P, C]."""
        return self.colours[0][self.there[0]]


@torch.no_grad()
def paints_of(support: Tensor) -> Paints:
    """The paints of support images [B, K, C, S, S] in [-1, 1]: of gray ones ground, ink and a tone between, if there is one."""
    tasks, channels = support.shape[0], support.shape[2]
    images = support.flatten(0, 1).float()
    even = (F.max_pool2d(images, 3, 1, 1) + F.max_pool2d(-images, 3, 1, 1)).amax(1) < EVEN
    weight = torch.where(even, 1.0, LOOSE).unflatten(0, (tasks, -1)).flatten(1)
    pixels = support.float().transpose(2, 3).transpose(3, 4).reshape(tasks, -1, channels)
    ground = border(images).unflatten(0, (tasks, -1)).transpose(1, 2).flatten(2).median(2).values
    if channels == 1:
        ground = torch.full_like(ground, -1.0)
        darkest = support.float().amax((1, 2, 3, 4))[:, None]
        fixed = [ground, torch.where(darkest < PALE, darkest, 1.0)]
    else:
        fixed = [ground]
    bins, apart = BINS[channels], APART[channels]
    place = ((pixels + 1) / 2 * bins).long().clamp(0, bins - 1)
    cell = place[..., 0]
    for channel in range(1, channels):
        cell = cell * bins + place[..., channel]
    cells = bins**channels
    total = torch.zeros(tasks, cells, device=pixels.device).scatter_add_(1, cell, weight)
    sums = torch.zeros(tasks, cells, channels, device=pixels.device)
    sums.scatter_add_(1, cell[..., None].expand(-1, -1, channels), weight[..., None] * pixels)
    mean = sums / total.clamp(min=1e-9)[..., None]
    near = _smooth(total, bins, channels) * (total > 0)  # a cell in which nothing lies is no paint, whatever lies beside it
    all_weight = weight.sum(1, keepdim=True)
    colours, there = list(fixed), [torch.ones(tasks, dtype=torch.bool, device=pixels.device) for _ in fixed]
    for found in fixed:
        near = near * ((mean - found[:, None]).abs().amax(2) > apart)
    row = torch.arange(tasks, device=pixels.device)
    while len(colours) < PAINTS[channels]:
        best = near.argmax(1)
        least = LEAST * all_weight[:, 0] if len(colours) > 1 else 0.0  # thin lines alone have a paint, too
        there.append(near[row, best] > least)
        middle = mean[row, best]
        close = ((mean - middle[:, None]).abs().amax(2) < apart / 2) * total
        colour = (close[..., None] * mean).sum(1) / close.sum(1, keepdim=True).clamp(min=1e-9)
        colours.append(colour)
        near = near * ((mean - colour[:, None]).abs().amax(2) > apart)
    return Paints(torch.stack(colours, 1), torch.stack(there, 1))


def shares_of(images: Tensor, paints: Paints, sharpness: float = 12.0) -> Tensor:
    """How much of each paint is in the pixels of images [B, K, C, S, S], by nearness: [B, K, P, S, S], of sum 1."""
    apart = (images[:, :, None] - paints.colours[:, None, :, :, None, None]).square().sum(3)
    apart = apart.masked_fill(~paints.there[:, None, :, None, None], torch.inf)
    return torch.softmax(-sharpness * apart, 2)


def mixed(shares: Tensor, paints: Paints) -> Tensor:
    """Images [B, N, C, S, S] of paints by how much of each pixel they cover [B, N, P, S, S], of sum 1."""
    return torch.einsum("bnphw,bpc->bnchw", shares, paints.colours)


def covered(logits: Tensor) -> Tensor:
    """How much of each pixel paints cover by their logits [..., P, S, S]: two share it whose edge runs through it.

    That is what scanned and drawn edges look like, where a softmax leaves a halo of some pixels.
    """
    (first, second), (most, next_) = (part.unbind(-3) for part in logits.topk(2, -3))
    share = (0.5 + (first - second) / EDGE).clamp(max=1)
    shares = torch.zeros_like(logits).scatter(-3, next_.unsqueeze(-3), (1 - share).unsqueeze(-3))
    return shares.scatter(-3, most.unsqueeze(-3), share.unsqueeze(-3))


def with_soft_edges(logits: Tensor) -> Tensor:
    """Logits [B, N, P, S, S] of which those of the two likeliest paints part by at most EDGE a pixel: edges are not jagged."""
    flat = logits.detach().flatten(0, 1)
    first, second = flat.topk(2, 1).indices.chunk(2, 1)
    across, down = (slope.gather(1, first) - slope.gather(1, second) for slope in slopes(flat))
    return torch.as_tensor(logits * (EDGE / torch.hypot(across, down).clamp(min=EDGE)).unflatten(0, logits.shape[:2]))


def edges_of(logits: Tensor) -> Tensor:
    """Distances in pixels [..., 1, S, S] from the edges of what is painted on the ground, above 0 inside, by paints' logits."""
    ground, others = logits[..., :1, :, :], logits[..., 1:, :, :]
    return (others.amax(-3, keepdim=True) - ground) / EDGE


def _smooth(total: Tensor, bins: int, channels: int) -> Tensor:
    """Weights of cells [B, bins ** C] with half of their neighbours' along each axis."""
    grid = total.view(-1, *[bins] * channels)
    for axis in range(1, channels + 1):
        padded = F.pad(grid.transpose(axis, -1), (1, 1))
        grid = (padded[..., 1:-1] + 0.5 * (padded[..., :-2] + padded[..., 2:])).transpose(axis, -1)
    return grid.flatten(1)
