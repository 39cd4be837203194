"""The generator: start from one support image, take parts of another, bend it by chance and on purpose, then repaint it."""

import math
from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from metagan_cli.config import ModelConfig
from metagan_cli.images.colour import KINDS, tinted
from metagan_cli.images.ground import ground_of
from metagan_cli.images.palette import recoloured
from metagan_cli.images.pixel_art import drawn_side, in_blocks
from metagan_cli.images.regions import parts_of
from metagan_cli.images.resampling import Sample, sample_bicubic, sample_bilinear, sample_nearest, sample_pictures
from metagan_cli.networks.encoder import CELLS
from metagan_cli.networks.layers import GRID, Attention, activate, conv, start_small
from metagan_cli.networks.state import Latents, TaskState
from metagan_cli.networks.weights import named
from metagan_cli.precision import whole

HALF = GRID // 2
CLIP, SHARPEN = 0.95, 1.3  # how the logits of a warped gray image are taken, and contrast regained
REACH = math.tanh(SHARPEN * math.atanh(CLIP))  # the value of untouched ground and ink in a sample; colours are scaled to it
UP = 2  # the block that doubles the side
SWAY = 0.06  # deviation at first, in half sides, of a bend drawn by chance
SWAY_CELLS = {1: 4, 3: 2}  # cells a side that it is drawn on, by channels: hands bend strokes, straight edges of pictures stay so
MOST_SWAY = 0.27  # and never more
SWAY_RATE = 10.0  # by how much faster than other layers its size is learned: its gradient is faint beside its noise
VARIETIES = 3  # ways in which support images are seen to differ, where there are colours
DYE = (0.3, 0.2, 0.2)  # deviations at first of hue, saturation and lightness drawn by chance, where there are colours
MOST_DYE = (2.0, 0.5, 0.5)
LOAN, MOST_LOAN, LOAN_CELLS = 0.5, 3.0, 4  # deviation at first, and at most, of what another support image may lend by chance
FITS = (0.1, 0.25)  # images that share fewer of their edges bend and lend nothing; from more on they lend and do not bend
SAME = 0.02  # deviations of colour and of lightness below which they change less, in a folder
SEVERAL = 0.6  # the share of bend and tint that is left where there are several images to start from
CALM = 0.5  # and of that where pictures fill their squares, as photographs do
SHOWS = 0.05  # strength of colour, and distance from black and white, that a tint shows on
LENT, CUT = 0.75, 20.0  # above which it lends a part, and how sharply gradients see that


class Modulated(nn.Module):
    """A residual block whose normalised features a style, and the task's gains, scale and shift."""

    def __init__(self, channels_in: int, channels_out: int, style: int, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.first, self.second = conv(channels_in, channels_out), conv(channels_out, channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, bias=False) if channels_in != channels_out else nn.Identity()
        self.scale_first, self.scale_second = nn.Linear(style, 2 * channels_in), nn.Linear(style, 2 * channels_out)
        for layer in (self.scale_first, self.scale_second):
            start_small(layer, 0.02)
        nn.init.normal_(self.second.weight, std=0.02)
        self.noise = nn.Parameter(torch.zeros(channels_out, 1, 1))

    def forward(self, x: Tensor, style: Tensor, gains: tuple[Tensor, Tensor], noise: Tensor) -> Tensor:
        h = self.first(activate(_modulate(x, self.scale_first(style) + gains[0])))
        x = self.skip(x)
        if self.up:  # after the convolutions on the small side, which cost a quarter
            x, h = (F.interpolate(t, scale_factor=2, mode="bilinear", align_corners=False) for t in (x, h))
        h = h + self.noise * noise
        return torch.add(x, self.second(activate(_modulate(h, self.scale_second(style) + gains[1]))))


def block_channels(config: ModelConfig) -> list[int]:
    """The channels before the first modulated block, and after each."""
    return [config.tokens, config.tokens, config.tokens, config.width, config.width]


def gain_sizes(config: ModelConfig) -> list[int]:
    """Gains of each modulation, two a block: a scale and a shift for every channel."""
    return [2 * channels for pair in pairwise(block_channels(config)) for channels in pair]


def noise_sizes(config: ModelConfig) -> list[int]:
    """One noise value for each cell of the four blocks, then the bend by chance, then tint and loan where there are colours."""
    tint, loan = (KINDS, LOAN_CELLS**2) if config.channels == 3 else (0, 0)
    return [HALF**2, HALF**2, GRID**2, GRID**2, 2 * SWAY_CELLS[config.channels] ** 2, tint, loan]


def _modulate(x: Tensor, affine: Tensor) -> Tensor:
    scale, shift = affine[:, :, None, None].chunk(2, 1)
    return F.group_norm(x, 8) * (1 + scale) + shift


def without_grid(x: Tensor) -> Tensor:
    """Features [N, C, S, S] without what alternates from each cell to the next: on half-tones it would show as a grid."""
    return F.avg_pool2d(F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 2, 1), 2, 1)


def _taken(images: Tensor, index: Tensor) -> Tensor:
    """What samples that take support image number `index` [B, N] each find in a tensor [B, K, ...]: [B * N, ...]."""
    row = torch.arange(len(index), device=index.device)[:, None]
    return images[row, index].flatten(0, 1)


def _laid_out(tokens: Tensor) -> Tensor:
    """Tokens [N, 64, D] as a map [N, D, 8, 8]."""
    laid = tokens.transpose(1, 2).unflatten(2, (HALF, HALF))
    return torch.as_tensor(laid.contiguous(memory_format=torch.channels_last))


def _resized(flow: Tensor, side: int) -> Tensor:
    return F.interpolate(flow, size=(side, side), mode="bicubic", align_corners=False)


def varieties(support: Tensor) -> Tensor:
    """How much support images [B, K, 3, S, S] differ in lightness, colour and layout: deviations [B, 3], 0 of a single one."""
    shots = support.shape[1]
    unbiased = math.sqrt(shots / max(shots - 1, 1))
    mean = support.mean((3, 4))
    gray = mean.mean(2, keepdim=True)
    layout = F.adaptive_avg_pool2d(support.mean(2), LOAN_CELLS).flatten(2)
    kinds = [unbiased * kind.std(1, unbiased=False).mean(1) for kind in (gray, mean - gray, layout)]
    return torch.as_tensor(torch.stack(kinds, 1))


def lenders(shots: int) -> int:
    """How many others lend a support image parts: two, or half of all images, so that of few not most is another's."""
    return min(2, shots // 2)


def leeway(support: Tensor) -> Tensor:
    """How much of its usual size change has in a folder, by what support images [B, K, 3, S, S] differ in: [B, 6] in [0, 1].

    Bend across and down, hue, strength, lightness, loan. A single image leaves all open; between several, less needs to change.
    Images that share edges do not bend, and lend parts; images of one colour, or on a ground of one colour that a tint would
    show on, keep it; those that fill their squares change by half as much.
    """
    if support.shape[1] == 1:
        return support.new_ones(len(support), 6)
    ground, plain = (part.unflatten(0, support.shape[:2]) for part in ground_of(support.flatten(0, 1)))
    ground, change = ground[..., None, None], SEVERAL * (CALM + (1 - CALM) * plain.float().mean(1, keepdim=True))
    various = varieties(support)
    fits = ((shared_edges(support) - FITS[0]) / (FITS[1] - FITS[0])).clamp(0, 1)[:, None]
    differ = torch.minimum(_tints(various), _tints(varieties(ground)) + _unseen(ground)).clamp(max=1)
    bend = change * (1 - fits)
    return torch.cat([bend, bend, change * differ, fits], 1)


def shared_edges(support: Tensor) -> Tensor:
    """The share of their squared gradients that support images [B, K, 3, S, S] have in common, unbiased: [B], at most 1.

    Hands and cameras never put an edge at the same pixel twice, a program that puts parts together does. K is at least 2.
    """
    shots = support.shape[1]
    common, every = _squared_gradients(support.mean(1, keepdim=True)), _squared_gradients(support)
    return torch.as_tensor((shots * common / every.clamp(min=1e-6) - 1) / (shots - 1))


def _squared_gradients(images: Tensor) -> Tensor:
    """Their mean [B] over images [B, K, 3, S, S]."""
    return images.diff(dim=3).square().mean((1, 2, 3, 4)) + images.diff(dim=4).square().mean((1, 2, 3, 4))


def _tints(various: Tensor) -> Tensor:
    """How far images of these `varieties` are apart in hue, strength and lightness: [B, 3], 1 or more where not the same."""
    return various[:, [1, 1, 0]] / SAME


def _unseen(ground: Tensor) -> Tensor:
    """Whether tints would not show on a ground [B, K, 3, 1, 1]: [B, 3], 1 on black and white."""
    gray = ground.mean(2)
    colour, shade = (ground - gray[:, :, None]).abs().mean((1, 2)), (1 - gray.square()).mean(1)
    return torch.as_tensor((1 - torch.stack([colour, colour, shade], 1) / SHOWS).clamp(min=0).flatten(1))


def within_reach(images: Tensor) -> Tensor:
    """Real images [..., C, S, S] in [-1, 1] as bright as samples can be: exact ground would give them away."""
    return images * REACH if images.shape[-3] == 3 else images.clamp(-REACH, REACH)


def each(part: Tensor, count: int) -> Tensor:
    """A part of the state for each of a task's samples [B, N, X]; it may differ between them already."""
    return part if part.ndim == 3 else part[:, None].expand(-1, count, -1)


def _sampled(base: Tensor, grid: Tensor, drawn: Tensor) -> Tensor:
    """Base images [N, C, S, S] at the places of a grid [N, S, S, 2].

    Of pixel art, with so many pixels a side of a drawn one [N], whole ones are taken; gradients are still those between pixels.
    """
    colour, pixel_art = base.shape[1] == 3, drawn > 1

    def sampled(sample: Sample, places: Tensor) -> Tensor:
        return sample_pictures(base, places, sample) if colour else sample(base + 1, places) - 1

    smooth = sampled(sample_bicubic if colour else sample_bilinear, grid)
    if not pixel_art.any():
        return smooth
    taken = sampled(sample_nearest, in_blocks(grid.permute(0, 3, 1, 2), drawn).permute(0, 2, 3, 1))
    return torch.where(pixel_art[:, None, None, None], smooth + (taken - smooth).detach(), smooth)


class Generator(nn.Module):
    """Latents and a task state to images.

    A sample's base image is bent by a smooth flow: a sum of one drawn by chance, of learned deviation, and one that the features
    predict. Chance gives what hands do to all drawings alike; what is predicted, and repainted, is the task's own. Colours are
    tinted in the same two ways: all alike by chance, and from place to place as predicted; another support image lends parts,
    likewise; and the predicted flow is as smooth as the other, so that edges stay straight. What is predicted, the affine map and
    the residual start near zero: training starts from a real image and learns to leave it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, width, style = config.tokens, config.width, config.style
        self.config = config
        self.map = nn.Sequential(
            nn.Linear(config.latent + d, style), nn.LeakyReLU(0.2), nn.Linear(style, style), nn.LeakyReLU(0.2)
        )
        self.inward, self.place = conv(d, d, 1), nn.Parameter(torch.empty(1, d, HALF, HALF).normal_(std=0.02))
        self.query_place = nn.Parameter(torch.empty(CELLS, d).normal_(std=0.02))
        self.memory_place = nn.Parameter(torch.empty(CELLS, d).normal_(std=0.02))
        self.gather = Attention(d)
        pairs = enumerate(pairwise(block_channels(config)))
        self.blocks = nn.ModuleList(Modulated(inward, outward, style, up=i == UP) for i, (inward, outward) in pairs)
        self.gain_sizes = gain_sizes(config)
        self.colour = config.channels == 3
        tints, loans, known = (KINDS, 1, VARIETIES) if self.colour else (0, 0, 0)
        chances = 2 + tints + loans  # ways to differ by chance: across, down, in colour, and by loan
        self.sway, self.feel = nn.Linear(style + 1 + known, chances), conv(chances, d, 1)
        self.flow, self.affine = conv(d, 2 + tints), nn.Linear(style, 6)
        for layer in (self.flow, self.affine):
            start_small(layer, 0.01)
        start_small(self.sway, 0.01 / SWAY_RATE)
        if self.colour:
            self.meet, self.lend = conv(d, d, 1), conv(width, 1)
            for layer in (self.meet, self.lend):
                start_small(layer, 0.01)
        fold = config.image_size // GRID
        self.paint = conv(config.channels * fold**2, width)
        self.unfold = conv(width, config.fine * (fold // 2) ** 2, 1)
        self.finish = conv(config.fine + 4 * config.channels, config.fine)
        self.out = conv(config.fine, 4 * config.channels)
        start_small(self.out, 0.01)

    @property
    def gains(self) -> int:
        """G, the number of modulation gains a task."""
        return sum(self.gain_sizes)

    @property
    def latent_sizes(self) -> tuple[int, int]:
        """The sizes of z and of the noise, for `draw_latents`."""
        return self.config.latent, sum(noise_sizes(self.config))

    def widened(self, latents: Latents, width: Tensor) -> Latents:
        """Latents by a factor [B, N] each, but for the noise that says which parts are lent: that would only lend more."""
        lent = noise_sizes(self.config)[-1]
        bent, loan = latents.noise.split([latents.noise.shape[2] - lent, lent], 2)
        times = width[..., None]
        return replace(latents, z=times * latents.z, noise=torch.cat([times * bent, loan], 2))

    def forward(self, latents: Latents, state: TaskState) -> tuple[Tensor, Tensor]:
        """Samples and the support images that they start from, [B, N, C, S, S] each, in [-1, 1]."""
        if state.weights.shape[1]:
            return self._by_task(latents, state)
        (b, n), shots = latents.pick.shape, state.bases.shape[1]
        base, own = (_taken(part, latents.base_index(shots)) for part in (state.bases, state.tokens))
        style = self.map(torch.cat([latents.z, each(state.code, n)], 2).flatten(0, 1))
        gains = each(state.gains, n).flatten(0, 1).split(self.gain_sizes, 1)
        *noise, bend, dye, loan = self._noise_maps(latents.noise.flatten(0, 1))
        freedom = leeway(state.bases).repeat_interleave(n, 0) if self.colour else style.new_ones(1, 1)
        sizes, freedom = self._sizes_of_chance(style, state.bases, freedom)[..., None, None], freedom[..., None, None]
        sway, dye, loan = sizes[:, :2] * bend, sizes[:, 2 : 2 + KINDS] * dye, sizes[:, 2 + KINDS :] * loan
        first, second, third, fourth = self.blocks

        chance = _resized(sway, HALF)
        if self.colour:
            chance = torch.cat([chance, dye.expand(-1, -1, HALF, HALF), _resized(loan, HALF)], 1)
        x = self.inward(_laid_out(own)) + self.place + self.feel(chance)
        if self.colour:
            x = x + self.meet(_laid_out(_taken(state.tokens, latents.partner_index(shots))))
        x = first(x, style, gains[0:2], noise[0])
        x = self._gather(x, state.tokens, n)
        x = second(x, style, gains[2:4], noise[1])
        h = third(x, style, gains[4:6], noise[2])
        mixed = self._with_loans(base, h, freedom, loan, latents, state.bases) if self.colour else base
        if not self.config.feed_forward:
            mixed = torch.zeros_like(base)  # an even gray
        drawn = drawn_side(state.bases).repeat_interleave(n)
        warped = self._bend(mixed, x, style, freedom, sway, dye, drawn)
        h = h + self.paint(F.pixel_unshuffle(warped, self.config.image_size // GRID))
        h = fourth(h, style, gains[6:8], noise[3])
        images = in_blocks(self._repaint(warped, h), drawn)
        return images.unflatten(0, (b, n)), base.unflatten(0, (b, n))

    def _by_task(self, latents: Latents, state: TaskState) -> tuple[Tensor, Tensor]:
        """Task after task, each with the weights of its state."""
        found = []
        for task in range(state.tasks):
            own = latents.part(slice(task, task + 1), slice(None))
            shared = replace(state.task(task), weights=state.weights[:1, :0])
            found.append(functional_call(self, named(self, state.weights[task]), (own, shared)))
        images, bases = zip(*found, strict=True)
        return torch.cat(images), torch.cat(bases)

    def _noise_maps(self, noise: Tensor) -> list[Tensor]:
        sides = (HALF, HALF, GRID, GRID, SWAY_CELLS[self.config.channels], 1, LOAN_CELLS)
        parts = noise.split(noise_sizes(self.config), 1)
        return [m.reshape(len(noise), m.shape[1] // s**2, s, s) for m, s in zip(parts, sides, strict=True)]

    def _gather(self, x: Tensor, tokens: Tensor, n: int) -> Tensor:
        """Each task's n samples look at all of its support tokens."""
        b = tokens.shape[0]
        memory = (tokens + self.memory_place).flatten(1, 2)
        queries = x.flatten(2).transpose(1, 2) + self.query_place
        mixed = self.gather(queries.reshape(b, n * CELLS, -1), memory)
        return torch.as_tensor(mixed.reshape(b * n, CELLS, -1).transpose(1, 2).unflatten(2, (HALF, HALF)))

    def sources(self, latents: Latents, shots: int) -> Tensor:
        """Whether a sample starts from a support image, or has that one's tokens beside its own: bool [B, N, K]."""
        used = [latents.base_index(shots)] + ([latents.partner_index(shots)] if self.colour else [])
        return F.one_hot(torch.stack(used), shots).any(0)

    def _with_loans(self, base: Tensor, h: Tensor, freedom: Tensor, loan: Tensor, latents: Latents, support: Tensor) -> Tensor:
        """Base images [N, 3, S, S] with parts of others, in the colours that the base images have there.

        One lends where chance and what is predicted are high, the next where chance is low. A part that differs is lent or kept
        as a whole, so that nothing is cut through; gradients are those of a smooth mask.
        """
        side, shots = self.config.image_size, support.shape[1]
        turns = lenders(shots)
        if not turns or not (freedom[:, 5] > 0).any():
            return base
        aimed = F.interpolate(whole(self.lend(activate(h))), size=(side, side), mode="bilinear", align_corners=False)
        chance = _resized(loan, side)
        partners = torch.cat([latents.partner_index(shots, turn) for turn in range(turns)], 1)
        others = recoloured(support, partners, latents.base_index(shots).repeat(1, turns)).unflatten(0, (len(support), turns, -1))
        for turn, wanted in enumerate((chance + freedom[:, 5:] * aimed, -chance)[:turns]):
            other = others[:, turn].flatten(0, 1)
            smooth = torch.sigmoid(CUT * (wanted - LENT))
            lent = (smooth > 0.5).to(smooth.dtype).flatten(1).gather(1, parts_of(base, other)).view_as(smooth)
            base = torch.lerp(base, other, lent + smooth - smooth.detach())
        return base

    def _sizes_of_chance(self, style: Tensor, support: Tensor, freedom: Tensor) -> Tensor:
        """Deviations of the bend by chance [N, 2], in half sides, or with the tint's and the loan's [N, 6].

        From many images less has to be made up than from one, and from images that are alike; `freedom` is the samples' `leeway`.
        """
        known = style.new_full((len(style), 1), 1 / support.shape[1])
        if self.colour:
            various = varieties(support).repeat_interleave(len(style) // len(support), 0)
            known = torch.cat([known, various.to(style.dtype)], 1)
        seen = whole(torch.cat([style, known], 1))
        # a sum for each row: a product of so narrow a matrix rounds a row by its place among the others
        growth = SWAY_RATE * ((seen[:, None] * self.sway.weight).sum(2) + self.sway.bias)
        limits = (SWAY, SWAY, *DYE, LOAN), (MOST_SWAY, MOST_SWAY, *MOST_DYE, MOST_LOAN)
        start, most = torch.tensor(limits, device=style.device)[:, : growth.shape[1]].unbind()
        return start * growth.minimum((most / start).log()).exp() * freedom

    def _bend(self, base: Tensor, x: Tensor, style: Tensor, freedom: Tensor, sway: Tensor, dye: Tensor, drawn: Tensor) -> Tensor:
        """The base image under two smooth flows and an affine map, where there are colours also under two tints.

        `freedom` [N, 1, 1, 1], of colours [N, 6, 1, 1], is the share of what is predicted that they may change by: `leeway`.
        """
        side, guided = self.config.image_size, whole(self.flow(activate(x)))
        aimed, share = F.adaptive_avg_pool2d(guided[:, :2], SWAY_CELLS[3]) if self.colour else guided, 0.3 * freedom[:, :1]
        flow = _resized(sway, side) + share * _resized(aimed, side)
        theta = torch.eye(2, 3, device=x.device) + share[..., 0] * whole(self.affine(style)).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(base.shape), align_corners=False) + flow.permute(0, 2, 3, 1)
        bent = _sampled(base, grid, drawn)
        if not self.colour:
            return bent
        tint = dye + freedom[:, 2:5] * _resized(guided[:, 2:], side)
        return tinted(bent, torch.cat([tint[:, :2], tint[:, 2:].clamp(-MOST_DYE[2], MOST_DYE[2])], 1))

    def _repaint(self, warped: Tensor, h: Tensor) -> Tensor:
        """A residual in logit space on the warped image, drawn at half the image size and unfolded."""
        fine = F.pixel_shuffle(self.unfold(activate(h)), self.config.image_size // GRID // 2)
        if self.colour:
            fine = without_grid(fine)
        seen = F.pixel_unshuffle(warped, 2).to(fine.dtype)
        fine = self.finish(torch.cat([activate(fine), seen], 1).contiguous(memory_format=torch.channels_last))
        residual = F.pixel_shuffle(whole(self.out(activate(fine))), 2)
        own = torch.atanh(warped * REACH) if self.colour else SHARPEN * torch.atanh(warped.clamp(-CLIP, CLIP))
        return torch.tanh(own + 4 * residual)
