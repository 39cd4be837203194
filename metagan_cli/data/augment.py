"""Task augmentation: one transform for all images of a task, so that a turned or flipped task is a new task."""

import torch
import torch.nn.functional as F
from torch import Tensor

AFFINE = 0.12  # standard deviation of the entries of a task's linear map
THICKEN = 0.25  # share of the gray tasks whose strokes are made thicker


def augment(tasks: Tensor, rng: torch.Generator) -> Tensor:
    """Tasks [B, N, C, S, S] in [-1, 1] under one random map each: turned, mirrored, sheared, scaled, thickened.

    Colour pictures are mirrored and scaled, not turned.
    """
    b, n, c = tasks.shape[:3]
    linear = torch.eye(2) + AFFINE * torch.randn(b, 2, 2, generator=rng)
    mirror = torch.where(torch.rand(b, generator=rng) < 0.5, -1.0, 1.0)
    linear[:, :, 0] *= mirror[:, None]
    turns = torch.randint(4, (b,), generator=rng) if c == 1 else torch.zeros(b, dtype=torch.long)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    linear = linear @ torch.stack([torch.linalg.matrix_power(quarter, int(t)) for t in turns])
    theta = torch.cat([linear, torch.zeros(b, 2, 1)], 2).repeat_interleave(n, 0)
    ground = -1.0 if c == 1 else 1.0
    flat = tasks.flatten(0, 1) - ground
    moved = F.grid_sample(flat, F.affine_grid(theta, list(flat.shape), align_corners=False), align_corners=False) + ground
    if c == 1:
        amount = torch.rand(b, generator=rng) * (torch.rand(b, generator=rng) < THICKEN)
        thick = F.max_pool2d(moved, 3, 1, 1)
        moved = torch.lerp(moved, thick, amount.repeat_interleave(n)[:, None, None, None])
    return moved.view(tasks.shape)
