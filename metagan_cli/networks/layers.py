"""Layers that the generator, the encoder and the critic share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.images.resampling import differentiated_twice

GROUPS = 8  # of channels that are normalised together
GRID = 16  # the side of the feature map that most of the work is done on


def conv(channels_in: int, channels_out: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution that keeps the side of its input."""
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2."""
    return F.leaky_relu(x, 0.2)


def start_small(layer: nn.Conv2d | nn.Linear, deviation: float) -> None:
    """Gives a layer small random weights and no bias, so that it hardly changes anything at first."""
    nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class Residual(nn.Module):
    """Two convolutions beside a skip; `down` halves the side between them."""

    def __init__(self, channels_in: int, channels_out: int, down: bool = False) -> None:
        super().__init__()
        self.first, self.second = conv(channels_in, channels_in), conv(channels_in, channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, bias=False) if channels_in != channels_out else nn.Identity()
        self.down = down
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, C, S, S] to [N, D, S, S], or half that side."""
        h = self.first(activate(x))
        if self.down:
            x, h = F.avg_pool2d(x, 2), F.avg_pool2d(h, 2)
        h = self.second(activate(h))
        return torch.add(self.skip(x), h)


class Stage(nn.Module):
    """Two convolutions of normalised features beside a skip."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first, self.second = conv(channels_in, channels_out), conv(channels_out, channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, bias=False) if channels_in != channels_out else nn.Identity()
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, channels) for channels in (channels_in, channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, C, S, S] to [N, D, S, S]."""
        h = self.first(F.gelu(self.norms[0](x)))
        return torch.add(self.skip(x), self.second(F.gelu(self.norms[1](h))))


class Stem(nn.Module):
    """Images to a 16x16 map: one cheap layer at half the image size, the rest folded into channels."""

    def __init__(self, channels: int, size: int, fine: int, width: int) -> None:
        super().__init__()
        self.fold = size // 2 // GRID
        self.fine, self.mix = conv(4 * channels, fine), conv(fine * self.fold**2, width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, c, S, S] to features [N, W, 16, 16]."""
        x = F.pixel_unshuffle(images, 2).contiguous(memory_format=torch.channels_last)
        x = F.pixel_unshuffle(activate(self.fine(x)), self.fold)
        return torch.as_tensor(self.mix(x.contiguous(memory_format=torch.channels_last)))


class Trunk(nn.Module):
    """Images [N, c, S, S] to features [N, D, 8, 8] and [N, D, 4, 4]; no normalisation layers."""

    def __init__(self, channels: int, size: int, fine: int, width: int, tokens: int) -> None:
        super().__init__()
        self.stem = Stem(channels, size, fine, width)
        self.wide = Residual(width, tokens, down=True)
        self.middle = Residual(tokens, tokens)
        self.low = nn.Sequential(Residual(tokens, tokens, down=True), Residual(tokens, tokens))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features on 8 and on 4 cells a side."""
        middle = self.middle(self.wide(self.stem(images)))
        return middle, self.low(middle)


class Attention(nn.Module):
    """Multi-head attention of queries [B, N, D] over a memory [B, M, D], added to the queries.

    Written out where it is to be differentiated twice: the fused kernel has no second derivative on the CPU.
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.heads = heads

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Queries that have looked at the memory: [B, N, D]."""
        q, k, v = (self._split(t) for t in (self.query(x), self.key(memory), self.value(memory)))
        if differentiated_twice():
            seen = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1) @ v
        else:
            seen = F.scaled_dot_product_attention(q, k, v)
        return torch.add(x, self.out(seen.transpose(1, 2).flatten(2)))

    def _split(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        return x.view(b, n, self.heads, d // self.heads).transpose(1, 2)
