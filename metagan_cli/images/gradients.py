"""How strong the edges of pictures are."""

from torch import Tensor


def squared_gradients(images: Tensor) -> Tensor:
    """The mean squared difference of neighbouring pixels, across and down: [N], of images, or sets of images, [N, ..., S, S]."""
    others = tuple(range(1, images.ndim))
    return images.diff(dim=-1).square().mean(others) + images.diff(dim=-2).square().mean(others)
