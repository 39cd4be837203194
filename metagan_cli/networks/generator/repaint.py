"""The repaint: a residual in logit space on the warped image, drawn at half the image size and unfolded."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.devices import as_float32
from metagan_cli.networks.layers import GRID, activate

CLIP, SHARPEN = 0.95, 1.3  # how the logits of a warped gray image are taken, and contrast regained
REACH = math.tanh(SHARPEN * math.atanh(CLIP))  # the value of untouched ground and ink in a sample; colours are scaled to it
STRENGTH = 4  # of the residual


def residual_of(warped: Tensor, features: Tensor, unfold: nn.Conv2d, finish: nn.Conv2d, out: nn.Conv2d) -> Tensor:
    """What is painted over warped images [N, C, S, S], of features [N, W, 16, 16]: logits [N, C, S, S], by three layers."""
    fine = F.pixel_shuffle(unfold(activate(features)), warped.shape[-1] // GRID // 2)
    colour = warped.shape[1] == 3
    if colour:
        fine = without_grid(fine)
    seen = F.pixel_unshuffle(warped, 2).to(fine.dtype)
    fine = finish(torch.cat([activate(fine), seen], 1).contiguous(memory_format=torch.channels_last))
    return STRENGTH * F.pixel_shuffle(as_float32(out(activate(fine))), 2)


def repainted(warped: Tensor, residual: Tensor) -> Tensor:
    """Warped images [N, C, S, S] with a residual [N, C, S, S] in logits: in (-1, 1)."""
    own = torch.atanh(warped * REACH) if warped.shape[1] == 3 else SHARPEN * torch.atanh(warped.clamp(-CLIP, CLIP))
    return torch.tanh(own + residual)


def without_grid(x: Tensor) -> Tensor:
    """Features [N, C, S, S] without what alternates from each cell to the next: on half-tones it would show as a grid."""
    return F.avg_pool2d(F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 2, 1), 2, 1)


def within_reach(images: Tensor) -> Tensor:
    """Real images [..., C, S, S] in [-1, 1] as bright as samples can be: exact ground would give them away."""
    return images * REACH if images.shape[-3] == 3 else images.clamp(-REACH, REACH)
