"""A net that tells hands and motifs apart, at the size of the models: one such net judges, another one teaches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.networks.layers import Stage, conv

WIDTHS = (32, 64, 96, 128)  # channels at 1/2, 1/4, 1/8 and 1/16 of the side
FEATURES = 128


class HandNet(nn.Module):
    """Pairs of convolutions on ever smaller maps, and two heads: by whom an image is drawn, and what it shows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.first = conv(4 * channels, WIDTHS[0])
        self.stages = nn.ModuleList(Stage(i, o) for i, o in zip((WIDTHS[0], *WIDTHS), WIDTHS, strict=False))
        self.hand = nn.Linear(2 * sum(WIDTHS), FEATURES)
        self.motif = nn.Linear(WIDTHS[-1] * 16, FEATURES)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Features [N, C, s, s] on four sides, of images [N, C, S, S] in [-1, 1]."""
        x = self.first(F.pixel_unshuffle(images, 2).contiguous(memory_format=torch.channels_last))
        found = []
        for number, stage in enumerate(self.stages):
            x = stage(F.avg_pool2d(x, 2) if number else x)
            found.append(x)
        return found

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What tells the hand and what tells the motif, unit vectors [N, 128] each."""
        return self.read(self.maps(images))

    def read(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The same from the maps."""
        active = [F.gelu(x) for x in maps]
        seen = torch.cat([part for x in active for part in (x.mean((2, 3)), x.amax((2, 3)))], 1)
        shape = F.adaptive_avg_pool2d(active[-1], 4).flatten(1)
        return F.normalize(self.hand(seen).float(), dim=1), F.normalize(self.motif(shape).float(), dim=1)
