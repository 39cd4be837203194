"""Feature nets that judge samples: a prototypical net and a contrastive embedding. No generator is ever trained on them.

Both follow Boutin et al. 2022 (Diversity vs. Recognizability): four blocks of convolution, batch normalisation and pooling
on pictures of 50 x 50 pixels, gray ones binarised.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 50  # pixels that the nets look at
FLAT = 576  # 64 channels of 3 x 3
IDENTITY, DESCRIPTION = 128, 256  # features of the prototypical net and of the contrastive embedding
PROJECTION = 128
_CHUNK = 512


class Embedding(nn.Module):
    """Four convolution blocks and two linear layers."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        blocks = [_block(channels if i == 0 else 64) for i in range(4)]
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(FLAT, features))
        self.head = nn.Linear(features, PROJECTION)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, D] and their projection [N, 128], of pictures [N, C, 50, 50] in [0, 1]."""
        features = self.body(pictures)
        return features, self.head(features)


def _block(channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2))


@dataclass(frozen=True)
class Judges:
    """The two nets for pictures of one number of channels."""

    identity: Embedding  # trained to tell a task from one example (Snell et al. 2017)
    description: Embedding  # trained to tell an image by its distorted versions (SimCLR: Chen et al. 2020)
    channels: int

    def identify(self, images: Tensor) -> Tensor:
        """The prototypical net's metric features [N, 128] of images [N, C, S, S] in [-1, 1]."""
        return self._see(images, self.identity)[1]

    def describe(self, images: Tensor) -> Tensor:
        """The contrastive features [N, 256] of images [N, C, S, S] in [-1, 1]."""
        return self._see(images, self.description)[0]

    @torch.no_grad()
    def _see(self, images: Tensor, net: Embedding) -> tuple[Tensor, Tensor]:
        parts = [net(see(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)]
        features, projected = zip(*parts, strict=True)
        return torch.cat(features), torch.cat(projected)


def see(images: Tensor) -> Tensor:
    """Images [N, C, S, S] in [-1, 1] as the nets take them: [N, C, 50, 50] in [0, 1]; gray ones stretched to it and binarised."""
    x = F.interpolate(images.float(), size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    if x.shape[1] != 1:
        return ((x + 1) / 2).clamp(0, 1)
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return ((x - low) > 0.5 * (high - low).clamp(min=1e-6)).float()


def build_judges(channels: int) -> Judges:
    """Untrained nets."""
    return Judges(Embedding(channels, IDENTITY), Embedding(channels, DESCRIPTION), channels)
