"""How strong the edges of pictures are."""

import torch.nn.functional as F
from torch import Tensor


def squared_gradients(images: Tensor) -> Tensor:
    """The mean squared difference of neighbouring pixels, across and down: [N], of images, or sets of images, [N, ..., S, S]."""
    others = tuple(range(1, images.ndim))
    return images.diff(dim=-1).square().mean(others) + images.diff(dim=-2).square().mean(others)


def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """The change across and down a pixel of maps [N, C, S, S], beyond their border as at it."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2, (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
