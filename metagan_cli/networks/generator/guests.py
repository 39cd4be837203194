"""The generator's other way of starting: from a guest, a motif drawn by another hand, which is painted in the folder's."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.devices import as_float32
from metagan_cli.images.distance import REACH as TOLD
from metagan_cli.images.distance import distance_field, enclosed
from metagan_cli.images.ink import ink_of
from metagan_cli.images.paints import EDGE, Paints, mixed, paints_of, shares_of
from metagan_cli.networks.generator.modulation import Modulated
from metagan_cli.networks.layers import GRID, Attention, Residual, activate, conv, start_small

FINE, WIDTH, TOKENS = 32, 96, 112  # channels at 1/2, 1/4 and 1/8 of the side
STYLE, HEAD, PAINT = 160, 24, 48  # and of w, the head and a paint
HAND = TOKENS  # values of a hand's code
CELLS = 8  # a side of the map of tokens
FLOW_CELLS = 4  # a side of the predicted flow: few, so that straight lines stay straight
FLOW = 0.3  # what counts of a predicted flow and affine map, in half sides
PLAN = 4  # channels that a guest is seen in


class Hand(NamedTuple):
    """What is known of B folders' hands."""

    code: Tensor  # [B, D]
    tokens: Tensor  # [B, K * 64, D]
    paints: Paints
    uses: Tensor  # [B, P, E]: what each paint is used for


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

    A guest is seen as a shape: its ink, the distance from the ink's edge, and what that encloses. It is moved by a smooth
    predicted flow, and painted anew with the folder's own paints: flat colours stay flat, and edges run where the paints' logits
    cross, which can be found at any size. At first they are the guest's own edges.
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
        self.flow, self.affine = conv(TOKENS, 2), nn.Linear(STYLE + TOKENS, 6)
        self.narrow = conv(TOKENS, WIDTH, 1)
        self.third, self.fourth = Modulated(WIDTH, WIDTH, STYLE), Modulated(WIDTH, WIDTH, STYLE)
        self.ask, self.tell = conv(WIDTH, TOKENS, 1), conv(TOKENS, WIDTH, 1)
        self.open = conv(WIDTH, 48, 1)
        self.beside = conv(FINE, 48, 1)
        self.fifth = Modulated(48, 48, STYLE)
        self.head, self.again = conv(48 + PLAN, HEAD), conv(HEAD, HEAD)
        self.gain = nn.Linear(STYLE, 2 * HEAD)
        self.out = conv(HEAD, HEAD)
        self.key = nn.Linear(PAINT, HEAD + 1)
        for layer in (self.flow, self.affine, self.key, self.gain):
            start_small(layer, 0.01)

    def forward(self, guests: Tensor, hand: Hand) -> tuple[Tensor, Tensor]:
        """Guests [B, N, C, S, S] in [-1, 1] as this hand draws them, and their paints' logits [B, N, P, S, S]."""
        tasks, count, _, side, _ = guests.shape
        plan = plan_of(guests.flatten(0, 1))
        style = self.map(hand.code).repeat_interleave(count, 0)
        x = F.pixel_unshuffle(plan, 2).contiguous(memory_format=torch.channels_last)
        fine = activate(self.fine(x))
        wide = self.own(self.mix(F.pixel_unshuffle(fine, self.fold).contiguous(memory_format=torch.channels_last)))
        low = self.low(wide)
        queries = (low.flatten(2).transpose(1, 2) + self.place).reshape(tasks, count * CELLS**2, -1)
        low = _laid_out(self.gather(queries, hand.tokens), tasks * count, CELLS)
        low = self._styled(self.second, self._styled(self.first, low, style), style)
        grid = self._grid(low, style, side)
        moved = warped(plan, grid)
        x = up(self.narrow(low)) + warped(wide, grid)
        x = self._styled(self.third, x, style)
        queries = self.ask(x).flatten(2).transpose(1, 2).reshape(tasks, count * GRID**2, -1)
        x = x + self.tell(_laid_out(self.look(queries, hand.tokens), tasks * count, GRID))
        x = self._styled(self.fourth, x, style)
        x = self._styled(self.fifth, up(self.open(x), side // 2) + self.beside(warped(fine, grid)), style)
        x = activate(self.head(torch.cat([up(x, side), moved.to(x.dtype)], 1).contiguous(memory_format=torch.channels_last)))
        scale, shift = self.gain(style)[:, :, None, None].chunk(2, 1)
        x = self.out(activate(self.again(x) * (1 + scale) + shift))
        keys = as_float32(self.key(hand.uses))
        logits = torch.einsum("bnchw,bpc->bnphw", as_float32(x).unflatten(0, (tasks, count)), keys[..., :-1])
        logits = logits + keys[..., -1][:, None, :, None, None]
        edge = EDGE * TOLD * moved[:, 2:3].unflatten(0, (tasks, count))
        logits = logits + torch.cat([torch.zeros_like(edge), edge.expand(-1, -1, logits.shape[2] - 1, -1, -1)], 2)
        logits = logits.masked_fill(~hand.paints.there[:, None, :, None, None], -1e4)
        return mixed(logits, hand.paints), logits

    def _styled(self, block: Modulated, x: Tensor, style: Tensor) -> Tensor:
        none = x.new_zeros(1)
        return torch.as_tensor(block(x, style, (none, none), none))

    def _grid(self, low: Tensor, style: Tensor, side: int) -> Tensor:
        flow = F.adaptive_avg_pool2d(as_float32(self.flow(activate(low))), FLOW_CELLS)
        flow = F.interpolate(flow, size=(side, side), mode="bicubic", align_corners=True)
        affine = as_float32(self.affine(torch.cat([style, low.mean((2, 3))], 1))).view(-1, 2, 3)
        theta = torch.eye(2, 3, device=low.device) + FLOW * affine
        return F.affine_grid(theta, [len(low), 1, side, side], align_corners=False) + FLOW * flow.permute(0, 2, 3, 1)


def plan_of(guests: Tensor) -> Tensor:
    """Ink, tone, distance from the ink's edge and what it encloses, [N, 4, S, S], of guests [N, C, S, S]."""
    ink = (ink_of(guests) + 1) / 2
    tone = ink if guests.shape[1] == 1 else (1 - guests.mean(1, keepdim=True)) / 2
    inside = F.interpolate(enclosed(ink), scale_factor=2, mode="nearest")
    return torch.cat([ink, tone, distance_field(ink) / TOLD, inside], 1)


def warped(x: Tensor, grid: Tensor) -> Tensor:
    """Features [N, C, s, s] at the places of a grid [N, S, S, 2], at their own side; beyond their border as at it."""
    side = x.shape[-1]
    if grid.shape[1] != side:
        grid = F.avg_pool2d(grid.permute(0, 3, 1, 2), grid.shape[1] // side).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid.to(x.dtype), padding_mode="border", align_corners=False)


def up(x: Tensor, side: int | None = None) -> Tensor:
    """Features at twice their side, or a given one."""
    side = side or 2 * x.shape[-1]
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


def _laid_out(tokens: Tensor, count: int, cells: int) -> Tensor:
    laid = tokens.reshape(count, cells**2, -1).transpose(1, 2).unflatten(2, (cells, cells))
    return torch.as_tensor(laid.contiguous(memory_format=torch.channels_last))
