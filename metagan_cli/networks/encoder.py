"""The support encoder: what a few images have in common, and where their parts are."""

import torch
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.networks.layers import Attention, Trunk

CELLS = 64  # tokens an image: its 8x8 features


class SupportEncoder(nn.Module):
    """Set attention over the support; the order of the images does not matter."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config.channels, config.image_size, config.fine, config.width, config.tokens)
        self.place = nn.Parameter(torch.empty(CELLS, config.tokens).normal_(std=0.02))
        self.question = nn.Parameter(torch.empty(1, 1, config.tokens).normal_(std=0.02))
        self.read = Attention(config.tokens)

    def forward(self, support: Tensor) -> tuple[Tensor, Tensor]:
        """Support [B, K, C, S, S] to tokens [B, K, 64, D] and one code a task [B, D]."""
        b, k = support.shape[:2]
        middle, low = self.trunk(support.flatten(0, 1))
        tokens = middle.flatten(2).transpose(1, 2).unflatten(0, (b, k))
        whole = low.mean((2, 3)).unflatten(0, (b, k))
        memory = torch.cat([whole, (tokens + self.place).flatten(1, 2)], 1)
        code = self.read(self.question.expand(b, 1, -1), memory)[:, 0] + whole.mean(1)
        return tokens, code
