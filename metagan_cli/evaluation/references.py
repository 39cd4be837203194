"""What samples are compared with: simple methods that need no training."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.rng import generator_for

# strengths of jittered copies: most degrees turned, and most times larger or smaller
JITTERS = {"slight": (7.0, 1.0), "medium": (15.0, 1.33), "strong": (30.0, 1.5)}


def jittered(support: Tensor, count: int, strength: str, seed: int = 0) -> Tensor:
    """`count` turned and scaled copies [count, C, S, S] of the support images [K, C, S, S], taken in turn."""
    turn, scale = JITTERS[strength]
    rng = generator_for(seed, f"jitter {strength}")
    angle = torch.empty(count).uniform_(-math.radians(turn), math.radians(turn), generator=rng)
    size = torch.empty(count, 2).uniform_(-math.log(scale), math.log(scale), generator=rng).exp()
    rows = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2) / size[:, :, None]
    theta = torch.cat([rows, torch.zeros(count, 2, 1)], 2)
    copies = support[torch.arange(count) % len(support)]
    ground = copies.flatten(2).median(2).values[:, :, None, None]  # most of a picture is its ground
    grid = F.affine_grid(theta, list(copies.shape), align_corners=False)
    return torch.as_tensor(F.grid_sample(copies - ground, grid, align_corners=False) + ground)
