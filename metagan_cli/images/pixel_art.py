"""Pixel art inside networks: what is drawn in blocks of pixels stays in whole blocks."""

import torch
import torch.nn.functional as F
from torch import Tensor

SIDES = (8, 4, 2)  # pixels a side of one drawn pixel
MOSTLY = 0.75  # share of a folder's images that make it pixel art, or transparent


def drawn_side(support: Tensor) -> Tensor:
    """Pixels a side of one drawn pixel of support images [B, K, C, S, S]: int [B], 1 where most of them are no pixel art."""
    own = support.new_ones(support.shape[:2], dtype=torch.long)
    for side in SIDES:
        if support.shape[-1] % side == 0:
            corners = _blown_up(support[..., ::side, ::side], side)
            own = torch.where((own == 1) & (corners == support).flatten(2).all(2), side, own)
    drawn = own > 1
    finest = torch.where(drawn, own, SIDES[0]).amin(1)
    return torch.where(drawn.float().mean(1) >= MOSTLY, finest, 1)


def in_blocks(images: Tensor, side: Tensor) -> Tensor:
    """Images [N, C, S, S], each of the blocks of so many pixels a side, int [N], made alike: their mean."""
    for one in set(side.tolist()) - {1}:
        means = _blown_up(F.avg_pool2d(images, one), one)
        images = torch.where((side == one)[:, None, None, None], means, images)
    return images


def _blown_up(drawn: Tensor, side: int) -> Tensor:
    """Each pixel of images [..., h, w] as a block of so many pixels a side."""
    return drawn.repeat_interleave(side, -2).repeat_interleave(side, -1)
