"""The generator's blocks: features that a style and a task's modulation scale and shift."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.networks.layers import activate, conv, start_small


class Modulated(nn.Module):
    """A residual block whose normalised features a style, and the task's modulation, scale and shift."""

    def __init__(self, channels_in: int, channels_out: int, style: int, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.first, self.second = conv(channels_in, channels_out), conv(channels_out, channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, bias=False) if channels_in != channels_out else nn.Identity()
        self.scale_first, self.scale_second = nn.Linear(style, 2 * channels_in), nn.Linear(style, 2 * channels_out)
        for layer in (self.scale_first, self.scale_second):
            start_small(layer, 0.02)
        nn.init.normal_(self.second.weight, std=0.02)
        self.noise = nn.Parameter(torch.zeros(channels_out, 1, 1))

    def forward(self, x: Tensor, style: Tensor, task: tuple[Tensor, Tensor], noise: Tensor) -> Tensor:
        """Features [N, C, S, S] from others, a style [N, W], the task's scales and shifts, and noise [N, 1, S, S]."""
        h = self.first(activate(_modulate(x, self.scale_first(style) + task[0])))
        x = self.skip(x)
        if self.up:  # after the convolutions on the small side, which cost a quarter
            x, h = (F.interpolate(t, scale_factor=2, mode="bilinear", align_corners=False) for t in (x, h))
        h = h + self.noise * noise
        return torch.add(x, self.second(activate(_modulate(h, self.scale_second(style) + task[1]))))


def block_channels(config: ModelConfig) -> list[int]:
    """The channels before the first modulated block, and after each."""
    return [config.tokens, config.tokens, config.tokens, config.width, config.width]


def modulation_sizes(config: ModelConfig) -> list[int]:
    """Values of a task's modulation, two entries a block: a scale and a shift for every channel."""
    return [2 * channels for pair in pairwise(block_channels(config)) for channels in pair]


def each(part: Tensor, count: int) -> Tensor:
    """A part of the state for each of a task's samples [B, N, X]; it may differ between them already."""
    return part if part.ndim == 3 else part[:, None].expand(-1, count, -1)


def _modulate(x: Tensor, affine: Tensor) -> Tensor:
    scale, shift = affine[:, :, None, None].chunk(2, 1)
    return F.group_norm(x, 8) * (1 + scale) + shift
