"""Flat stays flat: what is even in a picture changes as a whole, and in flat-coloured folders to a colour that the folder has."""

from dataclasses import dataclass

import torch
from torch import Tensor

from metagan_cli.images.regions import EVEN, Areas, even_areas, region_means
from metagan_cli.images.resampling import around

GRAY = 8 / 127.5  # by how much the channels of a picture without colour may differ
MOSTLY = 0.5  # share of a folder's pixels in such regions that makes it flat-coloured
NEVER, ELSE = 1e3, 10.0  # added to the distance of colours that are not there, and of grounds' and hidden ones
SAME = 0.3  # how far a colour may be from one of the folder's to be that one, on grounds and things alike
HIDDEN = 0.3  # a channel's difference from the ground, in [-1, 1], below which what was to be seen before is lost
REGIONS = 64  # of a sample, the largest, that keep to the folder's colours
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
    place = _largest(regions, COLOURS)
    colours = means.flatten(2).gather(2, place[:, None].expand(-1, 3, -1)).transpose(1, 2)
    grounds = _of_ground(regions, images.shape[-1]).gather(1, place)
    share, there = area.float().mean((1, 2, 3)).unflatten(0, (b, -1)).mean(1), area.flatten(1).gather(1, place)
    colours, grounds, there = (part.unflatten(0, (b, -1)).flatten(1, 2) for part in (colours, grounds, there))
    return Palette(colours, grounds, there, share >= MOSTLY)


def _of_ground(regions: Tensor, side: int) -> Tensor:
    """Which pixels lie in a region [N, S * S] that reaches an upper corner, as grounds do and things seldom: bool."""
    return (regions == regions[:, :1]) | (regions == regions[:, side - 1 : side])


def follow_regions(painted: Tensor, warped: Tensor, areas: Areas, palette: Palette) -> Tensor:
    """Painted images [N, 3, S, S] whose even areas, those of the warped ones, changed as a whole: [N, 3, S, S].

    The N samples are those of the palette's B folders in turn. In
    flat-coloured folders what is near an even region, as soft edges are, changes as that does; all else is as painted.
    """
    regions, area = areas
    before = region_means(warped, regions)
    means = before if painted is warped else region_means(painted, regions)
    shift = (_kept_to(means, before, regions, palette) - before) * area
    near = around(area.to(shift.dtype), 5)
    beside = around(shift, 5) / near.clamp(min=1e-6)
    of_flat = palette.flat.repeat_interleave(len(warped) // len(palette.flat)).view(-1, 1, 1, 1)
    moved = (warped + torch.where(area, shift, beside)).clamp(-1, 1)
    return torch.where(area | ((near > 0) & of_flat), moved, painted)


def uncoloured(images: Tensor, support: Tensor) -> Tensor:
    """Images [N, 3, S, S] of B tasks in turn, those gray whose support [B, K, 3, S, S] is: what has no colour gets none."""
    gray = ((support.amax(2) - support.amin(2)).flatten(1).amax(1) <= GRAY).repeat_interleave(len(images) // len(support))
    return torch.where(gray[:, None, None, None], images.mean(1, keepdim=True), images)


def _kept_to(means: Tensor, before: Tensor, regions: Tensor, palette: Palette) -> Tensor:
    """Colours [N, 3, S, S] of regions, in flat-coloured folders the largest's the nearest of the folder's colours.

    Not one that hides it in the ground, if the region was to be seen there before, by its colours [N, 3, S, S] then. Gradients
    are as if nothing was chosen.
    """
    if not palette.flat.any():
        return means
    with torch.no_grad():
        tasks, flat = len(palette.flat), means.detach().flatten(2)
        place = _largest(regions, REGIONS)
        index = place[:, None].expand(-1, 3, -1)
        own = flat.gather(2, index)  # [N, 3, REGIONS]
        ground = _of_ground(regions, means.shape[-1]).gather(1, place)
        of_task = own.transpose(1, 2).unflatten(0, (tasks, -1)).flatten(1, 2)  # [B, N / B * REGIONS, 3]
        apart = torch.cdist(of_task.float(), palette.colours.float()) + NEVER * ~palette.counts[:, None]
        apart = apart + ELSE * ((ground.view(tasks, -1, 1) != palette.grounds[:, None]) & (apart > SAME))
        seen = (before.flatten(2).gather(2, index) - before[:, :, 0, :1]).abs().amax(1) >= HIDDEN
        under = means[:, :, 0, 0].view(tasks, -1, 1, 3)
        hides = ((palette.colours[:, None] - under).abs().amax(3) < HIDDEN).repeat_interleave(REGIONS, 1)
        apart = apart + ELSE * (hides & seen.view(tasks, -1, 1))
        chosen = palette.colours.gather(1, apart.argmin(2)[..., None].expand(-1, -1, 3)).to(own.dtype)
        chosen = torch.where(palette.flat[:, None, None], chosen, of_task)
        chosen = chosen.unflatten(1, (-1, REGIONS)).flatten(0, 1).transpose(1, 2)
        kept = flat.scatter(2, index, chosen).gather(2, regions[:, None].expand_as(flat)).view_as(means)
    return torch.as_tensor(means + (kept - means).detach())


def _largest(regions: Tensor, most: int) -> Tensor:
    """The pixels that stand for the largest regions: int [N, most]."""
    size = torch.zeros_like(regions).scatter_add(1, regions, torch.ones_like(regions))
    return size.topk(most, dim=1).indices
