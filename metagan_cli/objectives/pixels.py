"""How far images are from others pixel by pixel, at several sizes."""

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = (1, 2, 4)  # pixels a side of what is compared


def pixels_apart(images: Tensor, others: Tensor) -> Tensor:
    """The sum over scales of the mean absolute difference of images [N, C, S, S] from others: a scalar."""
    return torch.stack([F.l1_loss(F.avg_pool2d(images, k), F.avg_pool2d(others, k)) for k in SCALES]).sum()
