"""The generator's other way of starting: from a guest, a motif drawn by another hand, which is painted in the folder's."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.devices import as_float32
from metagan_cli.images.distance import REACH as TOLD
from metagan_cli.images.ink import ink_of
from metagan_cli.images.paints import EDGE, Paints, covered, mixed, paints_of, shares_of, with_soft_edges
from metagan_cli.images.styling import blurred, fields_of
from metagan_cli.networks.generator.modulation import Modulated
from metagan_cli.networks.layers import GRID, Attention, Residual, activate, conv, start_small

FINE, WIDTH, TOKENS = 32, 96, 112  # channels at 1/2, 1/4 and 1/8 of the side
STYLE, HEAD, PAINT, INNER = 160, 24, 48, 32  # and of w, of what paints are chosen by, of a paint, and between
HAND = TOKENS  # values of a hand's code
CELLS = 8  # a side of the map of tokens
FLOW = 0.3  # what counts of a predicted affine map, in half sides
PLAN, FIELDS = 4, 8  # channels that a guest is seen in, and those by which its edges are told
ROUND, BROAD = 1.3, 2.0  # deviations in pixels of blurs: of corners that are round, and of how thick lines are
THICK = 2 * TOLD + 1  # a side of the square in which the thickest place says how thick a line is


class Hand(NamedTuple):
    """What is known of B folders' hands."""

    code: Tensor  # [B, D]
    tokens: Tensor  # [B, K * 64, D]
    paints: Paints
    uses: Tensor  # [B, P, E]: what each paint is used for


class Painted(NamedTuple):
    """What became of guests."""

    images: Tensor  # [B, N, C, S, S]
    logits: Tensor  # of their paints, [B, N, P, S, S]
    uneven: Tensor  # how much the way in which paints are chosen changes from place to place, a single value


class HandEncoder(nn.Module):
    """How a few images are drawn."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.fine, self.fold = conv(4 * (channels + 1), 24), size // 2 // GRID
        self.mix = conv(24 * self.fold**2, 64, 1)
        self.wide, self.middle = Residual(64, TOKENS, down=True), Residual(TOKENS, TOKENS)
        self.place = nn.Parameter(torch.empty(CELLS**2, TOKENS).normal_(std=0.02))
        self.question = nn.Parameter(torch.empty(1, 4, TOKENS).normal_(std=0.5))
        self.read = Attention(TOKENS)
        self.sum = nn.Linear(5 * TOKENS, TOKENS)
        self.colour, self.use = nn.Linear(channels + 2, PAINT), nn.Linear(64, PAINT)
        self.paint = nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(PAINT, PAINT))

    def forward(self, support: Tensor) -> Hand:
        """Of support images [B, K, C, S, S] in [-1, 1]."""
        tasks = support.shape[0]
        flat = support.flatten(0, 1)
        x = F.pixel_unshuffle(torch.cat([flat, ink_of(flat)], 1), 2).contiguous(memory_format=torch.channels_last)
        x = F.pixel_unshuffle(activate(self.fine(x)), self.fold)
        seen = self.mix(x.contiguous(memory_format=torch.channels_last))
        tokens = self.middle(self.wide(seen)).flatten(2).transpose(1, 2) + self.place
        tokens = tokens.unflatten(0, (tasks, -1)).flatten(1, 2)
        read = self.read(self.question.expand(tasks, -1, -1), tokens)
        code = self.sum(torch.cat([read.flatten(1), tokens.mean(1)], 1))
        paints = paints_of(support)
        shares = F.avg_pool2d(shares_of(support, paints).flatten(0, 1), support.shape[-1] // GRID)
        shares = shares.unflatten(0, (tasks, -1)).transpose(1, 2).flatten(2)  # [B, P, K * 256]
        area = shares.mean(2, keepdim=True)
        where = seen.unflatten(0, (tasks, -1)).permute(0, 1, 3, 4, 2).flatten(1, 3)
        pooled = (shares.to(where.dtype) @ where) / (shares.sum(2, keepdim=True) + 1e-3).to(where.dtype)
        known = torch.cat([paints.colours, area, area.sqrt()], 2)
        return Hand(code, tokens, paints, self.paint(self.colour(known) + self.use(pooled)))


class GuestPainter(nn.Module):
    """Guests and what is known of a hand to images by that hand.

    A guest is seen as a shape: distances from the edges of its ink, of all that encloses, and of the details within. It is moved
    by a predicted affine map, and painted anew with the folder's own paints, chosen pixel by pixel by these distances alone, in
    a way that depends on hand and guest and changes but smoothly from place to place: flat colours stay flat, straight
    edges straight, and edges run where the paints' logits cross, which can be found at any size. At first they are the guest's.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.hand = HandEncoder(channels, size)
        self.map = nn.Sequential(nn.Linear(TOKENS, STYLE), nn.LeakyReLU(0.2), nn.Linear(STYLE, STYLE), nn.LeakyReLU(0.2))
        self.fold = size // 2 // GRID
        self.fine = conv(4 * PLAN, FINE)
        self.mix, self.own = conv(FINE * self.fold**2, WIDTH, 1), Residual(WIDTH, WIDTH)
        self.low = Residual(WIDTH, TOKENS, down=True)
        self.place = nn.Parameter(torch.empty(CELLS**2, TOKENS).normal_(std=0.02))
        self.gather, self.look = Attention(TOKENS), Attention(TOKENS)
        self.first, self.second = Modulated(TOKENS, TOKENS, STYLE), Modulated(TOKENS, TOKENS, STYLE)
        self.affine = nn.Linear(STYLE + TOKENS, 6)
        self.narrow = conv(TOKENS, WIDTH, 1)
        self.third, self.fourth = Modulated(WIDTH, WIDTH, STYLE), Modulated(WIDTH, WIDTH, STYLE)
        self.ask, self.tell = conv(WIDTH, TOKENS, 1), conv(TOKENS, WIDTH, 1)
        self.edges = Edges()
        self.key = nn.Linear(PAINT, HEAD + 1)
        for layer in (self.affine, self.key):
            start_small(layer, 0.01)

    def forward(self, guests: Tensor, hand: Hand, edges: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Guests [B, N, C, S, S] in [-1, 1] as this hand draws them, and their paints' logits [B, N, P, S, S].

        Where their distances from edges, in pixels [B, N, 1, S, S], are known better than pixels tell, edges are smoother.
        """
        logits, _ = self._logits(guests, hand, edges)
        return mixed(covered(with_soft_edges(logits)), hand.paints), logits

    def paint(self, guests: Tensor, hand: Hand, edges: Tensor | None = None) -> Painted:
        """The same as training sees it: with soft edges, from which gradients come."""
        logits, uneven = self._logits(guests, hand, edges)
        return Painted(mixed(with_soft_edges(logits).softmax(2), hand.paints), logits, uneven)

    def _logits(self, guests: Tensor, hand: Hand, edges: Tensor | None) -> tuple[Tensor, Tensor]:
        """The paints' logits, and how uneven the way is in which they are chosen."""
        tasks, count, _, side, _ = guests.shape
        plan, fields = plan_of(guests.flatten(0, 1), None if edges is None else edges.flatten(0, 1))
        style = self.map(hand.code).repeat_interleave(count, 0)
        x = F.pixel_unshuffle(plan, 2).contiguous(memory_format=torch.channels_last)
        fine = activate(self.fine(x))
        wide = self.own(self.mix(F.pixel_unshuffle(fine, self.fold).contiguous(memory_format=torch.channels_last)))
        low = self.low(wide)
        queries = (low.flatten(2).transpose(1, 2) + self.place).reshape(tasks, count * CELLS**2, -1)
        low = _laid_out(self.gather(queries, hand.tokens), tasks * count, CELLS)
        low = self._styled(self.second, self._styled(self.first, low, style), style)
        whole = torch.cat([style, low.mean((2, 3))], 1)
        theta = torch.eye(2, 3, device=low.device) + FLOW * as_float32(self.affine(whole)).view(-1, 2, 3)
        grid = F.affine_grid(theta, [len(low), 1, side, side], align_corners=False)
        x = up(self.narrow(low)) + warped(wide, grid)
        x = self._styled(self.third, x, style)
        queries = self.ask(x).flatten(2).transpose(1, 2).reshape(tasks, count * GRID**2, -1)
        x = x + self.tell(_laid_out(self.look(queries, hand.tokens), tasks * count, GRID))
        x = self._styled(self.fourth, x, style)
        moved, keys = warped(fields, grid), as_float32(self.key(hand.uses))
        with torch.autocast(guests.device.type, enabled=False):
            local = self.edges.local(as_float32(x))
            chosen = self.edges(moved, local, as_float32(whole)).unflatten(0, (tasks, count))
            logits = torch.einsum("bnchw,bpc->bnphw", chosen, keys[..., :-1]) + keys[..., -1][:, None, :, None, None]
        edge = EDGE * TOLD * moved[:, :1].unflatten(0, (tasks, count))
        logits = logits + torch.cat([torch.zeros_like(edge), edge.expand(-1, -1, logits.shape[2] - 1, -1, -1)], 2)
        logits = logits.masked_fill(~hand.paints.there[:, None, :, None, None], -1e4)
        uneven = local.diff(dim=2).abs().mean() + local.diff(dim=3).abs().mean()
        return logits, uneven

    def _styled(self, block: Modulated, x: Tensor, style: Tensor) -> Tensor:
        none = x.new_zeros(1)
        return torch.as_tensor(block(x, style, (none, none), none))


class Edges(nn.Module):
    """What paints are chosen by: layers of single pixels over fields, moved and scaled by splines of a coarse map."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.again, self.out = conv(FIELDS, INNER, 1), conv(INNER, INNER, 1), conv(INNER, HEAD, 1)
        self.local, self.whole = conv(WIDTH, 2 * INNER, 1), nn.Linear(STYLE + TOKENS, 4 * INNER)
        for layer in (self.local, self.whole, self.out):
            start_small(layer, 0.01)

    def forward(self, fields: Tensor, local: Tensor, whole: Tensor) -> Tensor:
        """[N, HEAD, S, S] of fields [N, FIELDS, S, S], what `local` says of a coarse map, and what holds for all of it [N, E]."""
        spread = splines(fields.shape[-1], GRID).to(local)
        first, second = (spread @ local @ spread.T).chunk(2, 1)
        gain, shift, gain_again, shift_again = self.whole(whole)[:, :, None, None].chunk(4, 1)
        x = activate(self.read(fields) * (1 + gain) + shift + first)
        return torch.as_tensor(self.out(activate(self.again(x) * (1 + gain_again) + shift_again + second)))


@cache
def splines(size: int, cells: int) -> Tensor:
    """How much of each of so many cells' values is at each pixel of a line, by uniform cubic B-splines: [size, cells]."""
    place = (torch.arange(size, dtype=torch.float32) + 0.5) * cells / size - 0.5
    away = (place[:, None] - torch.arange(-2, cells + 2)).abs()
    near, far = 2 / 3 - away.square() + away**3 / 2, (2 - away).clamp(min=0) ** 3 / 6
    weights = torch.where(away < 1, near, far)
    weights[:, 2] += weights[:, :2].sum(1)  # beyond its ends a line goes on as it ends
    weights[:, -3] += weights[:, -2:].sum(1)
    return weights[:, 2:-2]


def plan_of(guests: Tensor, edges: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What guests [N, C, S, S] are seen as, and the fields by which their edges are told, which may be known [N, 1, S, S].

    Ink, tone, distance from the ink's edge and what it encloses: [N, 4, S, S]. Distances from the edges of ink, of all that it
    encloses, and of details, the same with round corners, tone, and half the width of lines nearby: [N, 8, S, S].
    """
    ink = (ink_of(guests) + 1) / 2
    tone = ink if guests.shape[1] == 1 else (1 - guests.mean(1, keepdim=True)) / 2
    fields = fields_of(ink)
    if edges is not None:
        fields = fields.by(edges.clamp(-TOLD, TOLD))
    sharp = torch.cat(fields, 1) / TOLD
    soft = torch.cat([blurred(field, ROUND) for field in fields], 1) / TOLD
    thick = blurred(F.max_pool2d(fields.ink.clamp(min=0), THICK, 1, TOLD), BROAD) / TOLD
    plan = torch.cat([ink, tone, sharp[:, :1], (fields.whole > 0).to(ink.dtype)], 1)
    return plan, torch.cat([sharp, soft, 2 * tone - 1, thick], 1)


def warped(x: Tensor, grid: Tensor) -> Tensor:
    """Features [N, C, s, s] at the places of a grid [N, S, S, 2], at their own side; beyond their border as at it."""
    side = x.shape[-1]
    if grid.shape[1] != side:
        grid = F.avg_pool2d(grid.permute(0, 3, 1, 2), grid.shape[1] // side).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid.to(x.dtype), padding_mode="border", align_corners=False)


def up(x: Tensor) -> Tensor:
    """Features at twice their side."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _laid_out(tokens: Tensor, count: int, cells: int) -> Tensor:
    laid = tokens.reshape(count, cells**2, -1).transpose(1, 2).unflatten(2, (cells, cells))
    return torch.as_tensor(laid.contiguous(memory_format=torch.channels_last))
