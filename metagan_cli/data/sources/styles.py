"""Handwriting styles: images grouped by measured slant and stroke thickness, across what they show."""

import torch
from torch import Tensor

LEVELS = 6  # slants by thicknesses: 36 styles


def style_groups(images: Tensor) -> list[str]:
    """The style of each image [N, 1, S, S] in [-1, 1], ink +1: slant and thickness each in LEVELS equal shares."""
    slants, widths = slant(images), thickness(images)
    pairs = zip(_levels(slants), _levels(widths), strict=True)
    return [f"slant {s} thickness {w}" for s, w in pairs]


def slant(images: Tensor) -> Tensor:
    """The shear of each image [N, 1, S, S]: how far ink moves sideways a row, from its second moments."""
    ink = (images[:, 0] + 1) / 2
    total = ink.sum((1, 2)).clamp(min=1e-6)
    axis = torch.arange(images.shape[-1], dtype=torch.float32)
    x, y = (ink.sum(1) @ axis) / total, (ink.sum(2) @ axis) / total
    dx, dy = axis[None] - x[:, None], axis[None] - y[:, None]
    mixed = torch.einsum("nyx,nx,ny->n", ink, dx, dy) / total
    upright = torch.einsum("nyx,ny->n", ink, dy.square()) / total
    return -mixed / upright.clamp(min=1e-6)


def thickness(images: Tensor) -> Tensor:
    """Stroke width in pixels of each image [N, 1, S, S]: twice its ink over the length of its outline."""
    ink = (images[:, 0] + 1) / 2
    outline = ink.diff(dim=1).abs().sum((1, 2)) + ink.diff(dim=2).abs().sum((1, 2))
    return 2 * ink.sum((1, 2)) / outline.clamp(min=1e-6)


def _levels(values: Tensor) -> list[int]:
    cuts = values.quantile(torch.linspace(0, 1, LEVELS + 1)[1:-1])
    return torch.bucketize(values, cuts).tolist()
