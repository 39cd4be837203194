"""Feature nets that judge samples: a prototypical net and a contrastive embedding. No generator is ever trained on them.

As in Boutin et al. 2022 (Diversity vs. Recognizability) they see pictures of 50 x 50 pixels, gray ones binarised; their
convolutions are other than there, as these learn more in the same time.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 50  # pixels that the nets look at
IDENTITY, DESCRIPTION = 128, 256  # features of the prototypical net and of the contrastive embedding
PROJECTION = 128
_CHUNK = 512


class Embedding(nn.Module):
    """Seven convolutions with batch normalisation, on 25, 12 and 6 pixels a side, and two linear layers."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels, 64, side=5, stride=2),
            *_convolution(64, 64),
            nn.MaxPool2d(2),
            *_convolution(64, 96),
            *_convolution(96, 96),
            nn.MaxPool2d(2),
            *_convolution(96, 128),
            *_convolution(128, 128),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128 * 3 * 3, features),
        )
        self.head = nn.Linear(features, PROJECTION)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, D] and their projection [N, 128], of pictures [N, C, 50, 50] in [0, 1]."""
        features = self.body(pictures)
        return features, self.head(features)


def _convolution(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


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
    """Images [N, C, S, S] in [-1, 1] as the nets take them: [N, C, 50, 50] in [0, 1].

    Gray ones, light on dark, are stretched to that range, moved until the mean place of their ink is the middle, and binarised.
    """
    x = F.interpolate(images.float(), size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    if x.shape[1] != 1:
        return ((x + 1) / 2).clamp(0, 1)
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return (_centred((x - low) / (high - low).clamp(min=1e-6)) > 0.5).float()


def _centred(ink: Tensor) -> Tensor:
    """Ink [N, 1, S, S] in [0, 1] around its mean place."""
    dark = (ink > 0.5).float()
    axis = (torch.arange(SIDE, device=ink.device) * 2 + 1) / SIDE - 1
    amount = dark.sum((1, 2, 3)).clamp(min=1)
    place = torch.stack([(dark.sum(2)[:, 0] * axis).sum(1), (dark.sum(3)[:, 0] * axis).sum(1)], 1) / amount[:, None]
    theta = torch.cat([torch.eye(2, device=ink.device).expand(len(ink), 2, 2), place[:, :, None]], 2)
    return F.grid_sample(ink, F.affine_grid(theta, list(ink.shape), align_corners=False), align_corners=False)


def build_judges(channels: int) -> Judges:
    """Untrained nets."""
    return Judges(Embedding(channels, IDENTITY), Embedding(channels, DESCRIPTION), channels)
