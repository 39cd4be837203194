"""The generator: start from one support image, take parts of others, warp and tint it by chance and on purpose, repaint it."""

from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from metagan_cli.config import ModelConfig, VariationRules
from metagan_cli.devices import as_float32
from metagan_cli.images.colour import KINDS
from metagan_cli.images.pixel_art import drawn_side, in_blocks
from metagan_cli.images.regions import EVEN, even_areas
from metagan_cli.networks.encoder import CELLS
from metagan_cli.networks.generator.flat import follow_regions, palette_of, uncoloured
from metagan_cli.networks.generator.modulation import Modulated, block_channels, each, modulation_sizes
from metagan_cli.networks.generator.part_swap import swap_parts
from metagan_cli.networks.generator.plan import Plan, together
from metagan_cli.networks.generator.repaint import REACH, repainted, residual_of
from metagan_cli.networks.generator.tint import tint, tint_amounts
from metagan_cli.networks.generator.variation import (
    HALF,
    JITTER,
    RATE,
    SPREADS,
    SWAP,
    WARP,
    chance_sizes,
    noise_maps,
    noise_sizes,
    variation_limits,
    ways,
)
from metagan_cli.networks.generator.warp import resized, warp_grid, warped
from metagan_cli.networks.layers import GRID, Attention, activate, conv, start_small
from metagan_cli.networks.state import Latents, TaskState
from metagan_cli.networks.weights import named

UP = 2  # the block that doubles the side


class Generator(nn.Module):
    """Latents and a task state to images.

    A sample's base image is warped by a smooth flow: a sum of one drawn by chance, of learned deviation, and one that the
    features predict. Chance gives what hands do to all drawings alike; what is predicted, and repainted, is the task's own.
    Colours are tinted in the same two ways: all alike by chance, and from place to place as predicted; other support images give
    parts, likewise; and the predicted flow is as smooth as the other, so that edges stay straight. What is predicted, the
    affine map and the residual start near zero: training starts from a real image and learns to leave it.

    Attributes keep the names that their weights have in files: `sway` says how large a change by chance is, `feel` and `meet`
    tell the features of that chance and of the image that may give parts, `lend` where it gives them.
    """

    def __init__(self, config: ModelConfig, rules: VariationRules | None = None) -> None:
        super().__init__()
        d, width, style = config.tokens, config.width, config.style
        self.config, self.rules = config, rules or VariationRules()
        self.map = nn.Sequential(
            nn.Linear(config.latent + d, style), nn.LeakyReLU(0.2), nn.Linear(style, style), nn.LeakyReLU(0.2)
        )
        self.inward, self.place = conv(d, d, 1), nn.Parameter(torch.empty(1, d, HALF, HALF).normal_(std=0.02))
        self.query_place = nn.Parameter(torch.empty(CELLS, d).normal_(std=0.02))
        self.memory_place = nn.Parameter(torch.empty(CELLS, d).normal_(std=0.02))
        self.gather = Attention(d)
        pairs = enumerate(pairwise(block_channels(config)))
        self.blocks = nn.ModuleList(Modulated(inward, outward, style, up=i == UP) for i, (inward, outward) in pairs)
        self.modulation_sizes = modulation_sizes(config)
        self.colour = config.channels == 3
        self.follows = self.colour and config.feed_forward  # the even regions of what a sample starts from
        tints, known = (KINDS, SPREADS) if self.colour else (0, 0)
        self.sway, self.feel = nn.Linear(style + 1 + known, ways(config.channels)), conv(ways(config.channels), d, 1)
        self.flow, self.affine = conv(d, 2 + tints), nn.Linear(style, 6)
        for predicting in (self.flow, self.affine):
            start_small(predicting, 0.01)
        start_small(self.sway, 0.01 / RATE)
        self.meet: nn.Conv2d | None = conv(d, d, 1) if self.colour else None
        self.lend: nn.Conv2d | None = conv(width, 1) if self.colour else None
        for layer in (self.meet, self.lend):
            if layer is not None:
                start_small(layer, 0.01)
        fold = config.image_size // GRID
        self.paint = conv(config.channels * fold**2, width)
        self.unfold = conv(width, config.fine * (fold // 2) ** 2, 1)
        self.finish = conv(config.fine + 4 * config.channels, config.fine)
        self.out = conv(config.fine, 4 * config.channels)
        start_small(self.out, 0.01)

    @property
    def modulation_size(self) -> int:
        """G, the number of values in a task's modulation."""
        return sum(self.modulation_sizes)

    @property
    def latent_sizes(self) -> tuple[int, int]:
        """The sizes of z and of the noise, for `draw_latents`."""
        return self.config.latent, sum(noise_sizes(self.config))

    def forward(self, latents: Latents, state: TaskState) -> tuple[Tensor, Tensor, Plan]:
        """Samples and the support images that they start from, [B, N, C, S, S] each, in [-1, 1], and the plan of all samples."""
        if state.weights.shape[1]:
            return self._by_task(latents, state)
        support, (tasks, count) = state.bases, latents.pick.shape
        base, tokens = (_taken(part, latents.base_index(support.shape[1])) for part in (support, state.tokens))
        style = self.map(torch.cat([latents.z, each(state.code, count)], 2).flatten(0, 1))
        modulation = each(state.modulation, count).flatten(0, 1).split(self.modulation_sizes, 1)
        *noise, warping, jitter, swapping = noise_maps(latents.noise.flatten(0, 1), self.config)
        palette = palette_of(support) if self.follows else None
        limits = variation_limits(support, self.rules, palette.flat if palette else None).repeat_interleave(count, 0)
        ruled = state.ruled.repeat_interleave(count)[:, None, None, None]
        sizes, limits = chance_sizes(self.sway, style, support, limits, self.rules)[..., None, None], limits[..., None, None]
        warping, jitter, swapping = sizes[:, WARP] * warping, sizes[:, JITTER] * jitter, sizes[:, SWAP] * swapping

        felt = torch.cat([resized(warping, HALF), jitter.expand(-1, -1, HALF, HALF), resized(swapping, HALF)], 1)
        low, high = self._features(tokens, felt, style, modulation, noise, latents, state)
        mixed, taken = swap_parts(base, swapping, self.lend, high, limits[:, SWAP], latents, support, self.rules)
        mixed = mixed if self.config.feed_forward else torch.zeros_like(base)  # an even gray
        predicted, affine = as_float32(self.flow(activate(low))), as_float32(self.affine(style))
        grid = warp_grid(mixed, warping, predicted[:, WARP], affine, limits[:, WARP][:, :1], ruled, self.rules)
        drawn = drawn_side(support).repeat_interleave(count)
        bent = warped(mixed, grid, drawn, ruled)
        areas = even_areas(bent, EVEN) if self.follows else None
        amounts = tint_amounts(jitter, predicted[:, JITTER], limits[:, JITTER], base.shape[-1])
        tinted = tint(bent, amounts, areas, self.rules)
        residual = self._residual(tinted, high, style, modulation, noise, self.rules.repaint[self.colour] * (1 - ruled))
        painted = repainted(tinted, residual)
        if areas is not None and palette is not None:
            painted = REACH * follow_regions(painted / REACH, tinted, bent, areas, palette)
        painted = uncoloured(painted, support) if self.colour else painted
        images = in_blocks(painted, drawn)
        turns = [latents.partner_index(support.shape[1], turn).flatten() for turn in range(taken.shape[1])]
        start = latents.base_index(support.shape[1]).flatten()
        plan = Plan(start, torch.stack(turns, 1) if turns else start[:, None][:, :0], taken, grid, amounts, residual)
        return images.unflatten(0, (tasks, count)), base.unflatten(0, (tasks, count)), plan

    def sources(self, latents: Latents, shots: int) -> Tensor:
        """Whether a sample starts from a support image, or has that one's tokens beside its own: bool [B, N, K]."""
        used = [latents.base_index(shots)] + ([latents.partner_index(shots)] if self.colour else [])
        return F.one_hot(torch.stack(used), shots).any(0)

    def widened(self, latents: Latents, width: Tensor) -> Latents:
        """Latents by a factor [B, N] each, but for the noise of tints and part swaps: colours would leave the folder's family."""
        *_, jitter, swap = noise_sizes(self.config)
        other, kept = latents.noise.split([latents.noise.shape[2] - jitter - swap, jitter + swap], 2)
        times = width[..., None]
        return replace(latents, z=times * latents.z, noise=torch.cat([times * other, kept], 2))

    def _by_task(self, latents: Latents, state: TaskState) -> tuple[Tensor, Tensor, Plan]:
        """Task after task, each with the weights of its state."""
        found = []
        for task in range(state.tasks):
            own = latents.part(slice(task, task + 1), slice(None))
            shared = replace(state.task(task), weights=state.weights[:1, :0])
            found.append(functional_call(self, named(self, state.weights[task]), (own, shared)))
        images, bases, plans = zip(*found, strict=True)
        return torch.cat(images), torch.cat(bases), together(plans)

    def _features(
        self,
        tokens: Tensor,
        felt: Tensor,
        style: Tensor,
        modulation: tuple[Tensor, ...],
        noise: list[Tensor],
        latents: Latents,
        state: TaskState,
    ) -> tuple[Tensor, Tensor]:
        """Features [N, D, 8, 8] and [N, W, 16, 16] from the base image's tokens, what chance will do, and all support tokens."""
        first, second, third, _ = self.blocks
        x = self.inward(_laid_out(tokens)) + self.place + self.feel(felt)
        if self.meet is not None:
            x = x + self.meet(_laid_out(_taken(state.tokens, latents.partner_index(state.bases.shape[1]))))
        x = first(x, style, modulation[0:2], noise[0])
        x = self._gather(x, state.tokens, latents.pick.shape[1])
        low = second(x, style, modulation[2:4], noise[1])
        return low, third(low, style, modulation[4:6], noise[2])

    def _residual(
        self, tinted: Tensor, high: Tensor, style: Tensor, modulation: tuple[Tensor, ...], noise: list[Tensor], share: Tensor
    ) -> Tensor:
        """What is painted over tinted images [N, C, S, S], in logits, of which a share [N, 1, 1, 1] counts.

        Where none does it is found for the gradients' sake alone.
        """
        if not torch.is_grad_enabled() and not share.any():
            return torch.zeros_like(tinted)
        seen = high + self.paint(F.pixel_unshuffle(tinted, self.config.image_size // GRID))
        seen = self.blocks[-1](seen, style, modulation[-2:], noise[-1])
        return share * residual_of(tinted, seen, self.unfold, self.finish, self.out)

    def _gather(self, x: Tensor, tokens: Tensor, n: int) -> Tensor:
        """Each task's n samples look at all of its support tokens."""
        b = tokens.shape[0]
        memory = (tokens + self.memory_place).flatten(1, 2)
        queries = x.flatten(2).transpose(1, 2) + self.query_place
        mixed = self.gather(queries.reshape(b, n * CELLS, -1), memory)
        return torch.as_tensor(mixed.reshape(b * n, CELLS, -1).transpose(1, 2).unflatten(2, (HALF, HALF)))


def _taken(images: Tensor, index: Tensor) -> Tensor:
    """What samples that take support image number `index` [B, N] each find in a tensor [B, K, ...]: [B * N, ...]."""
    row = torch.arange(len(index), device=index.device)[:, None]
    return images[row, index].flatten(0, 1)


def _laid_out(tokens: Tensor) -> Tensor:
    """Tokens [N, 64, D] as a map [N, D, 8, 8]."""
    laid = tokens.transpose(1, 2).unflatten(2, (HALF, HALF))
    return torch.as_tensor(laid.contiguous(memory_format=torch.channels_last))
