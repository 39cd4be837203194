"""The discriminator: the outer critic, and with a task's modulation the inner discriminator."""

import torch
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.devices import as_float32
from metagan_cli.networks.layers import Trunk, activate, conv

SCORE_SCALE = 0.1  # keeps the scores, and with them the noise penalty, in a range where its weight is about one
FIRST = "trunk.stem.fine.weight"  # the layer whose input channels are the pack's images and the support image


class Discriminator(nn.Module):
    """Scores packs of samples of one task, stacked with a support image as channels.

    Packing (PacGAN, Lin et al. 2018) makes a lack of variety visible; pairing with a support image (DAGAN,
    Antoniou et al. 2017) makes it see whether the samples are of that task.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d = config.critic_tokens
        self.pack = config.pack
        self.trunk = Trunk((config.pack + 1) * config.channels, config.image_size, config.fine, config.width, d)
        self.local = conv(d, d)
        self.head = nn.Sequential(nn.Linear(2 * d, d), nn.LeakyReLU(0.2), nn.Linear(d, 1))
        self.modulation_size = 4 * d

    def take_over(self, other: "Discriminator") -> None:
        """Another critic's weights; where its pack has another size, its first layer's are dealt out over this pack's images."""
        weights = other.state_dict()
        first = weights[FIRST]
        each = first.shape[1] // (other.pack + 1)
        images, base = first[:, :-each].unflatten(1, (other.pack, each)), first[:, -each:]
        dealt = images[:, [i % other.pack for i in range(self.pack)]] * (other.pack / self.pack)
        self.load_state_dict(weights | {FIRST: torch.cat([dealt.flatten(1, 2), base], 1)})

    def forward(self, images: Tensor, bases: Tensor, modulation: Tensor | None = None) -> Tensor:
        """Scores [B, N / pack] of images [B, N, C, S, S] beside the support images [B, N, C, S, S] they belong to.

        `modulation` [B, J] scales and shifts the last features task by task; without it this is the outer critic.
        """
        packs = [images[:, i :: self.pack] for i in range(self.pack)] + [bases[:, :: self.pack]]
        stacked = torch.cat(packs, 2)
        middle, low = self.trunk(stacked.flatten(0, 1))
        features = torch.cat([activate(self.local(middle)).mean((2, 3)), low.mean((2, 3))], 1)
        if modulation is not None:
            scale, shift = modulation.repeat_interleave(stacked.shape[1], 0).chunk(2, 1)
            features = features * (1 + scale) + shift
        scores: Tensor = self.head(features)
        return SCORE_SCALE * as_float32(scores).view(stacked.shape[:2])
