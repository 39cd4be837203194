"""Task augmentation: one transform for all images of a task, so that a turned or flipped task is a new task."""

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.resampling import sample_bilinear, sample_pictures

AFFINE = 0.12  # standard deviation of the entries of a task's linear map
THICKEN = 0.25  # share of the gray tasks whose strokes are made thicker
REORDER, NEGATIVE = 0.5, 0.1  # shares of the colour tasks whose channels change places, and that are turned to negatives
UPRIGHT = 0.4  # share of the colour tasks that are mirrored at most: pictures of people's have level edges and full borders


def augment(tasks: Tensor, rng: torch.Generator) -> Tensor:
    """Tasks [B, N, C, S, S] in [-1, 1] under one random map each: turned, mirrored, sheared, scaled, thickened.

    Colour pictures are mirrored and scaled, not turned, many only mirrored; their channels may change places, and
    dark and light.
    """
    b, n, c = tasks.shape[:3]
    strength = torch.full((b,), AFFINE)
    if c == 3:
        strength[torch.rand(b, generator=rng) < UPRIGHT] = 0.0
    linear = torch.eye(2) + strength[:, None, None] * torch.randn(b, 2, 2, generator=rng)
    mirror = torch.where(torch.rand(b, generator=rng) < 0.5, -1.0, 1.0)
    linear[:, :, 0] *= mirror[:, None]
    turns = torch.randint(4, (b,), generator=rng) if c == 1 else torch.zeros(b, dtype=torch.long)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    linear = linear @ torch.stack([torch.linalg.matrix_power(quarter, int(t)) for t in turns])
    theta = torch.cat([linear, torch.zeros(b, 2, 1)], 2).repeat_interleave(n, 0)
    flat = tasks.flatten(0, 1)
    grid = F.affine_grid(theta, list(flat.shape), align_corners=False)
    if c == 3:
        return _recoloured(sample_pictures(flat, grid).view(tasks.shape), rng)
    moved = sample_bilinear(flat + 1, grid) - 1
    amount = torch.rand(b, generator=rng) * (torch.rand(b, generator=rng) < THICKEN)
    thick = F.max_pool2d(moved, 3, 1, 1)
    return torch.lerp(moved, thick, amount.repeat_interleave(n)[:, None, None, None]).view(tasks.shape)


def _recoloured(tasks: Tensor, rng: torch.Generator) -> Tensor:
    """Tasks [B, N, 3, S, S] of which some have their channels in another order, and a few are negatives."""
    b = len(tasks)
    order = torch.rand(b, 3, generator=rng).argsort(1)
    order[torch.rand(b, generator=rng) > REORDER] = torch.arange(3)
    sign = torch.where(torch.rand(b, generator=rng) < NEGATIVE, -1.0, 1.0)
    return tasks.gather(2, order[:, None, :, None, None].expand_as(tasks)) * sign[:, None, None, None, None]
