"""The ground of pictures: the colour that their border has."""

import torch
from torch import Tensor

ALIKE, MOSTLY = 0.15, 0.85  # how far pixels of one colour may differ, and the share of a border that makes it plain


def ground_of(images: Tensor) -> tuple[Tensor, Tensor]:
    """The colour [M, C] that a picture's border has most, and whether all but a little of the border has it: bool [M].

    Of images [M, C, S, S] in [-1, 1].
    """
    ground, share = plain_share(border(images))
    return ground, share > MOSTLY


def plain_share(rim: Tensor) -> tuple[Tensor, Tensor]:
    """The colour [M, C] that borders [M, C, P] in [-1, 1] have most, and the share of each that has it: [M]."""
    ground = rim.median(2, keepdim=True).values
    return ground[..., 0], ((rim - ground).abs().amax(1) < ALIKE).float().mean(1)


def border(images: Tensor) -> Tensor:
    """The outermost pixels of images [M, C, S, S]: [M, C, 4 S]."""
    return torch.cat([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], -1)
