"""The ruler: a small net that tells ruled drawings (type, vector icons) from those of a free hand, by how lines run."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.images.ground import ground_of
from metagan_cli.images.ink import ink_of
from metagan_cli.networks.layers import conv

WIDTHS = (24, 32, 48, 64)  # channels at 32, 32, 16 and 8 pixels a side
SIDE = 64  # pixels that it looks at
GROUPS = 8
UNSURE, SURE = 0.4, 0.7  # mean chance of a folder's images from which its lines begin to count as ruled, and count so wholly


class Ruler(nn.Module):
    """Four convolutions and the mean of what they see: waver is everywhere or nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, WIDTHS[0], 5, stride=2, padding=2)
        self.convs = nn.ModuleList(conv(i, o) for i, o in zip(WIDTHS, WIDTHS[1:], strict=False))
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, width) for width in WIDTHS[:-1])
        self.out = nn.Linear(WIDTHS[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """How much speaks for a ruler, [N] in logits, of images [N, 1, S, S] in [-1, 1] with ink 1."""
        if images.shape[-1] != SIDE:
            images = F.interpolate(images, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        x = F.gelu(self.first(images))
        for number, (norm, layer) in enumerate(zip(self.norms, self.convs, strict=True)):
            x = F.gelu(layer(norm(x)))
            x = F.avg_pool2d(x, 2) if number < 2 else x
        return torch.as_tensor(self.out(x.mean((2, 3)))[:, 0])

    @torch.no_grad()
    def ruled(self, support: Tensor) -> Tensor:
        """How ruled the folders of support images [B, K, C, S, S] are: [B] in [0, 1], 0 where that is unsure.

        Pictures in colour count as far as they lie on a plain ground.
        """
        pictures = support.flatten(0, 1).float()
        plain = ground_of(pictures)[1].unflatten(0, support.shape[:2]).float().mean(1) if support.shape[2] == 3 else 1.0
        images = ink_of(pictures).to(self.out.weight.device)
        chance = torch.sigmoid(self.forward(images)).to(support.device).unflatten(0, support.shape[:2]).mean(1)
        return torch.as_tensor(plain * ((chance - UNSURE) / (SURE - UNSURE)).clamp(0, 1))
