"""How far samples vary: what is drawn by chance, how large it is, and the limits that the support images set.

Where a tensor has a column for each way to vary they are these: across and down (the warp), hue, saturation and lightness
(the colour jitter), and the part swap. Gray images have the first two alone.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import ModelConfig, VariationRules
from metagan_cli.devices import as_float32
from metagan_cli.images.colour import KINDS
from metagan_cli.images.gradients import squared_gradients
from metagan_cli.images.ground import ground_of
from metagan_cli.networks.layers import GRID

WARP, JITTER, SWAP = slice(0, 2), slice(2, 2 + KINDS), slice(2 + KINDS, 3 + KINDS)  # columns
HALF = GRID // 2  # the side of the map of support tokens
WARP_CELLS = {1: 4, 3: 2}  # cells a side of a random warp, by channels: hands bend strokes, straight edges of pictures stay so
SWAP_CELLS = 4  # cells a side of the map that says where parts are swapped by chance
SPREADS = 3  # ways in which support images are seen to differ, where there are colours
RATE = 10.0  # by how much faster than other layers the sizes are learned: their gradient is faint beside their noise


def ways(channels: int) -> int:
    """The number of columns."""
    return 2 if channels == 1 else 3 + KINDS


def noise_sizes(config: ModelConfig) -> list[int]:
    """One noise value for each cell of the four blocks, then the random warp, then jitter and swap where there are colours."""
    jitter, swap = (KINDS, SWAP_CELLS**2) if config.channels == 3 else (0, 0)
    return [HALF**2, HALF**2, GRID**2, GRID**2, 2 * WARP_CELLS[config.channels] ** 2, jitter, swap]


def noise_maps(noise: Tensor, config: ModelConfig) -> list[Tensor]:
    """Noise [N, M] as maps [N, c, s, s] in the order of `noise_sizes`; c is 0 where there is none."""
    sides = (HALF, HALF, GRID, GRID, WARP_CELLS[config.channels], 1, SWAP_CELLS)
    parts = noise.split(noise_sizes(config), 1)
    return [m.reshape(len(noise), m.shape[1] // s**2, s, s) for m, s in zip(parts, sides, strict=True)]


def chance_sizes(layer: nn.Linear, style: Tensor, support: Tensor, limits: Tensor, rules: VariationRules) -> Tensor:
    """Deviations [N, ways] of what is drawn by chance for styles [N, W]: the warp's in half sides.

    From many images less has to be made up than from one, and from images that are alike. Of support [B, K, C, S, S] and
    limits [N, 6].
    """
    known = style.new_full((len(style), 1), 1 / support.shape[1])
    spread = support_spread(support).repeat_interleave(len(style) // len(support), 0)
    seen = as_float32(torch.cat([style, known, spread.to(style.dtype)], 1))
    # a sum for each row: a product of so narrow a matrix rounds a row by its place among the others
    growth = RATE * ((seen[:, None] * layer.weight).sum(2) + layer.bias)
    bounds = (
        (rules.warp, rules.warp, *rules.jitter, rules.swap),
        (rules.warp_most, rules.warp_most, *rules.jitter_most, rules.swap_most),
    )
    start, most = torch.tensor(bounds, device=style.device)[:, : growth.shape[1]].unbind()
    return torch.as_tensor(start * growth.minimum((most / start).log()).exp() * limits[:, : growth.shape[1]])


def variation_limits(support: Tensor, rules: VariationRules, flat: Tensor | None = None) -> Tensor:
    """How much of its usual size change has in a folder, by what support images [B, K, C, S, S] differ in: [B, 6] in [0, 1].

    Gray images leave all open, and so does a single one on a plain ground; between several in colour, less needs to change.
    Images that share edges do not warp, and swap parts, if their colours are `flat` [B]: in textures no part fits another.
    Images of one colour, or on a ground of one colour that a tint would show on, keep it; those that fill their squares
    change by less.
    """
    if support.shape[2] == 1:
        return support.new_ones(len(support), 3 + KINDS)
    ground, plain = (part.unflatten(0, support.shape[:2]) for part in ground_of(support.flatten(0, 1)))
    share = plain.float().mean(1, keepdim=True)
    if support.shape[1] == 1:
        least = rules.several_share * rules.filled_share
        return torch.as_tensor(least + (1 - least) * share).expand(-1, 3 + KINDS)
    change = rules.several_share * (rules.filled_share + (1 - rules.filled_share) * share)
    ground = ground[..., None, None]
    differ = torch.minimum(
        _tints(support_spread(support), rules), _tints(support_spread(ground), rules) + _unseen(ground, rules)
    ).clamp(max=1)
    none, full = rules.shared_edges
    shared = ((shared_edges(support) - none) / (full - none)).clamp(0, 1)[:, None]
    fits = torch.ones_like(shared) if flat is None else flat[:, None].to(shared.dtype)
    warp = change * (1 - shared * (1 - rules.textured_share * (1 - fits)))
    return torch.cat([warp, warp, change * differ, shared * fits], 1)


def support_spread(support: Tensor) -> Tensor:
    """How much support images [B, K, 3, S, S] differ in lightness, colour and layout: deviations [B, SPREADS], 0 of a single one.

    Of gray ones nothing is measured: [B, 0].
    """
    if support.shape[2] == 1:
        return support.new_zeros(len(support), 0)
    shots = support.shape[1]
    unbiased = math.sqrt(shots / max(shots - 1, 1))
    mean = support.mean((3, 4))
    gray = mean.mean(2, keepdim=True)
    layout = F.adaptive_avg_pool2d(support.mean(2), SWAP_CELLS).flatten(2)
    kinds = [unbiased * kind.std(1, unbiased=False).mean(1) for kind in (gray, mean - gray, layout)]
    return torch.as_tensor(torch.stack(kinds, 1))


def shared_edges(support: Tensor) -> Tensor:
    """The share of their squared gradients that support images [B, K, 3, S, S] have in common, unbiased: [B], at most 1.

    Hands and cameras never put an edge at the same pixel twice, a program that puts parts together does. K is at least 2.
    """
    shots = support.shape[1]
    common, every = squared_gradients(support.mean(1, keepdim=True)), squared_gradients(support)
    return torch.as_tensor((shots * common / every.clamp(min=1e-6) - 1) / (shots - 1))


def _tints(spread: Tensor, rules: VariationRules) -> Tensor:
    """How far images of this `support_spread` are apart in hue, strength and lightness: [B, 3], 1 or more where not the same."""
    return spread[:, [1, 1, 0]] / rules.same_colour


def _unseen(ground: Tensor, rules: VariationRules) -> Tensor:
    """Whether tints would not show on a ground [B, K, 3, 1, 1]: [B, 3], 1 on black and white."""
    gray = ground.mean(2)
    colour, shade = (ground - gray[:, :, None]).abs().mean((1, 2)), (1 - gray.square()).mean(1)
    return torch.as_tensor((1 - torch.stack([colour, colour, shade], 1) / rules.tint_shows).clamp(min=0).flatten(1))
