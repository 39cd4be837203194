"""Flat stays flat: what is even in a picture changes as a whole, and in flat-coloured folders to a colour that the folder has."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.regions import EVEN, Areas, even_areas, region_means
from metagan_cli.images.resampling import around

GRAY = 8 / 127.5  # by how much the channels of a picture without colour may differ
MOSTLY = 0.5  # share of a folder's pixels in such regions that makes it flat-coloured
NEVER, ELSE = 1e3, 10.0  # added to the distance of colours that are not there; of grounds' to others, and of others' in a picture
SAME, LOST = 0.15, 0.4  # how far apart colours are at most that differ by noise alone, and that one hides the other in
REGIONS = 64  # of a sample, the largest, that say how its colours change
ENTRIES = 12  # colours of a sample, at most, that change as a whole
COLOURS = 16  # regions of an image, the largest, that lend the folder their colours


@dataclass(frozen=True)
class Palette:
    """The colours of B folders."""

    colours: Tensor  # [B, P, 3]
    grounds: Tensor  # bool [B, P]: which are a ground's, and keep to grounds
    counts: Tensor  # bool [B, P]: which of them are there
    flat: Tensor  # bool [B]: folders whose samples keep to them


@torch.no_grad()
def palette_of(support: Tensor) -> Palette:
    """The colours of the largest even regions of support images [B, K, 3, S, S]."""
    b, images = len(support), support.flatten(0, 1)
    regions, area = even_areas(images, EVEN)
    means = region_means(images, regions)
    place, _ = _largest(regions, COLOURS)
    colours = means.flatten(2).gather(2, place[:, None].expand(-1, 3, -1)).transpose(1, 2)
    grounds = _of_ground(regions, images.shape[-1]).gather(1, place)
    share, there = area.float().mean((1, 2, 3)).unflatten(0, (b, -1)).mean(1), area.flatten(1).gather(1, place)
    colours, grounds, there = (part.unflatten(0, (b, -1)).flatten(1, 2) for part in (colours, grounds, there))
    return Palette(colours, grounds, there, share >= MOSTLY)


def _of_ground(regions: Tensor, side: int) -> Tensor:
    """Which pixels lie in a region [N, S * S] that reaches an upper corner, as grounds do and things seldom: bool."""
    return (regions == regions[:, :1]) | (regions == regions[:, side - 1 : side])


def follow_regions(painted: Tensor, tinted: Tensor, bent: Tensor, areas: Areas, palette: Palette) -> Tensor:
    """Painted images [N, 3, S, S] whose even areas, those of bent images, changed as a whole from tinted ones: [N, 3, S, S].

    The N samples are those of the palette's B folders in turn. In flat-coloured folders areas get one of the folder's colours,
    and what is near in colour or place, as noise and soft edges are, changes as they do; all else is as painted.
    """
    regions, area = areas
    before = region_means(tinted, regions)
    means = before if painted is tinted else region_means(painted, regions)
    if not palette.flat.any():
        return torch.where(area, (tinted + means - before).clamp(-1, 1), painted)
    own = Palette(*(getattr(palette, f.name).repeat_interleave(len(tinted) // len(palette.flat), 0) for f in fields(palette)))
    even = torch.where(area, region_means(bent, regions), bent)
    old, new, apart = _changed(even, _change(means.detach(), even, regions, own))
    flat = own.flat.view(-1, 1, 1, 1)
    kept = torch.where(flat & (apart < LOST), means + (even + new - old - means).detach(), means)
    shift = (kept - before) * area
    near = around(area.to(shift.dtype), 5)
    moved = tinted + torch.where(area, shift, around(shift, 5) / near.clamp(min=1e-6))
    noise = flat & ~area & (apart < SAME)
    moved = torch.where(noise, painted + (bent + new - old - painted).detach(), moved).clamp(-1, 1)
    return torch.where(area | noise | ((near > 0) & flat), moved, painted)


def uncoloured(images: Tensor, support: Tensor) -> Tensor:
    """Images [N, 3, S, S] of B tasks in turn, those gray whose support [B, K, 3, S, S] is: what has no colour gets none."""
    gray = ((support.amax(2) - support.amin(2)).flatten(1).amax(1) <= GRAY).repeat_interleave(len(images) // len(support))
    return torch.where(gray[:, None, None, None], images.mean(1, keepdim=True), images)


class Change(NamedTuple):
    """How the colours that N pictures have most change, P of each."""

    old: Tensor  # [N, P, 3]
    new: Tensor  # [N, P, 3]


@torch.no_grad()
def _change(means: Tensor, even: Tensor, regions: Tensor, palette: Palette) -> Change:
    """How the colours of the largest regions change, of even images [N, 3, S, S] that have these means [N, 3, S, S] when tinted.

    Each becomes the nearest to its mean that nothing else in the picture had, so that no thing is lost in another.
    """
    row = torch.arange(len(means), device=means.device)[:, None]
    place, size = _largest(regions, REGIONS)
    index = place[:, None].expand(-1, 3, -1)
    own, old = (x.flatten(2).gather(2, index).transpose(1, 2).float() for x in (means, even))
    colours, count, absent = palette.colours.float(), palette.colours.shape[1], NEVER * ~palette.counts[:, None]
    between = torch.cdist(colours, colours) + absent
    same = between < SAME
    entry = same.int().argmax(2).gather(1, (torch.cdist(old, colours) + absent).argmin(2))  # [N, REGIONS]
    members = (F.one_hot(entry, count).float() * size[..., None]).transpose(1, 2)
    weight = members.sum(2)
    mean = members @ own / weight.clamp(min=1)[..., None]  # [N, P, 3]
    of_ground = (members * _of_ground(regions, means.shape[-1]).gather(1, place)[:, None]).sum(2) > 0.5 * weight
    ground = of_ground & (same & palette.grounds[:, None]).any(2)
    others = (weight > 0)[:, None] * (between > LOST).float()
    taken = (others @ (between < LOST).float() > 0) & ~same
    apart = torch.cdist(mean, colours) + absent + ELSE * (taken.float() + (ground[..., None] != palette.grounds[:, None]))
    most = weight.topk(min(ENTRIES, int((weight > 0).sum(1).max())), dim=1).indices
    old = torch.where((weight > 0)[..., None], colours, NEVER)
    chosen = apart.argmin(2)
    new = torch.where(same.gather(2, chosen[..., None]), colours, colours[row, chosen])
    return Change(old[row, most], new[row, most])


@torch.no_grad()
def _changed(images: Tensor, change: Change) -> tuple[Tensor, Tensor, Tensor]:
    """The colour nearest to each pixel of images [N, 3, S, S], what it becomes, and how far it is off, [N, 1, S, S]."""
    apart, nearest = torch.cdist(images.flatten(2).transpose(1, 2).float(), change.old).min(2)
    index = nearest[:, None].expand(-1, 3, -1)
    old, new = (colours.transpose(1, 2).gather(2, index).view_as(images).to(images.dtype) for colours in change)
    return old, new, apart.view_as(images[:, :1])


def _largest(regions: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The pixels that stand for the largest regions, int [N, most], and how many pixels each has."""
    size = torch.zeros_like(regions).scatter_add(1, regions, torch.ones_like(regions))
    largest = size.topk(most, dim=1)
    return largest.indices, largest.values
