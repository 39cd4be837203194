"""The perceptual net: a small feature net by which the outer loop compares samples with real images. It judges nothing."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.devices import as_float32
from metagan_cli.images.ink import centre, profiles
from metagan_cli.images.resampling import sample_bilinear
from metagan_cli.networks.layers import Stage

SIDE = 32  # pixels that it looks at
FEATURES = 192
PROJECTION = 128
WIDTHS = (48, 80, 112)  # channels at 16, 8 and 4 pixels a side


class PerceptualNet(nn.Module):
    """Three pairs of convolutions, on 16, 8 and 4 pixels a side, and two heads: which image, and which task."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.first = nn.Conv2d(4 * channels, WIDTHS[0], 3, padding=1)
        inward = (WIDTHS[0], *WIDTHS[:-1])
        self.stages = nn.ModuleList(Stage(i, o) for i, o in zip(inward, WIDTHS, strict=True))
        self.last = nn.Linear(WIDTHS[-1] * 16, FEATURES)
        self.contrast, self.identity = nn.Linear(FEATURES, PROJECTION), nn.Linear(FEATURES, PROJECTION)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, 192], and the map [N, 112, 4, 4] that they are made of, of images [N, C, S, S] in [-1, 1]."""
        x = self.first(F.pixel_unshuffle(look(images), 2).contiguous(memory_format=torch.channels_last))
        for number, stage in enumerate(self.stages):
            x = stage(F.avg_pool2d(x, 2) if number else x)
        return self.last(F.gelu(x).flatten(1)), x

    def describe(self, images: Tensor) -> list[Tensor]:
        """Images [B, N, C, S, S] in [-1, 1] as vectors [B, N, F] of several kinds, for an energy distance."""
        features, deep = self(images.flatten(0, 1))
        kinds = [deep, features, self.contrast(features), self.identity(features)]
        return [as_float32(kind).flatten(1).unflatten(0, images.shape[:2]) for kind in kinds]


def look(images: Tensor) -> Tensor:
    """Images [N, C, S, S] in [-1, 1] at SIDE pixels; gray ones moved until the mean place of their ink is the middle."""
    small = F.interpolate(as_float32(images), size=(SIDE, SIDE), mode="area")
    if small.shape[1] != 1:
        return small
    place = centre(profiles((small + 1).clamp(min=0)))
    theta = torch.cat([torch.eye(2, device=images.device).expand(len(small), 2, 2), place[..., None]], 2)
    return sample_bilinear(small + 1, F.affine_grid(theta, list(small.shape), align_corners=False)) - 1


def build_perceptual_net(channels: int) -> PerceptualNet:
    """An untrained one, in channels-last memory."""
    return PerceptualNet(channels).to(memory_format=torch.channels_last)
