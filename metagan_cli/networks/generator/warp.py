"""The warp: an image under a random flow, a predicted one, and a predicted affine map, all smooth."""

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.images.ink import ink_of, places
from metagan_cli.images.pixel_art import in_blocks
from metagan_cli.images.resampling import Sample, sample_bicubic, sample_bilinear, sample_nearest, sample_pictures
from metagan_cli.networks.generator.variation import HALF, WARP_CELLS

STRETCH = 0.6  # how much longer or shorter than it was a ruled line may become anywhere
RULED_CELLS = 3  # cells along each axis of a random warp of ruled drawings
RULED_SIZE = 1.5  # its size in units of that of a free hand
INK = -0.5  # the value from which a pixel of a gray image is ink
PREDICTED_CELLS = {1: HALF, 3: WARP_CELLS[3]}  # cells a side of a predicted flow, by channels


def warp_grid(
    base: Tensor, random: Tensor, predicted: Tensor, affine: Tensor, limit: Tensor, ruled: Tensor, rules: VariationRules
) -> Tensor:
    """Where the pixels of warped base images [N, C, S, S] come from: a grid [N, S, S, 2].

    By a random flow [N, 2, c, c], and a predicted flow [N, 2, 8, 8] and map [N, 6].
    Flows are in half sides. `limit` [N, 1, 1, 1] is the share of what is predicted that counts. The more `ruled` [N, 1, 1, 1] in
    [0, 1] the lines are, the less counts of what is predicted, and the more the random flow keeps them straight.
    """
    side, share = base.shape[-1], rules.predicted_share * limit * (1 - ruled)
    aimed = F.adaptive_avg_pool2d(predicted, PREDICTED_CELLS[base.shape[1]])
    flow = resized(random, side)
    if ruled.any():
        flow = torch.lerp(flow, straightened(random, base), ruled)
    flow = flow + share * resized(aimed, side)
    theta = torch.eye(2, 3, device=base.device) + share[..., 0] * affine.view(-1, 2, 3)
    return F.affine_grid(theta, list(base.shape), align_corners=False) + flow.permute(0, 2, 3, 1)


def straightened(random: Tensor, base: Tensor) -> Tensor:
    """A random flow [N, 2, c, c] as one [N, 2, S, S] that stretches columns and rows of base images: ruled lines stay straight.

    As large as before, but nowhere stretched or squeezed by much, and no ink of the images [N, C, S, S] leaves them.
    """
    cells, side = random.shape[-1], base.shape[-1]
    across, down = random[:, 0].mean(1), random[:, 1].mean(2)
    coarse = F.adaptive_avg_pool1d(RULED_SIZE * cells**0.5 * torch.stack([across, down], 1), RULED_CELLS)
    line = F.interpolate(coarse, size=side, mode="linear", align_corners=True)
    slope = line.diff(dim=2).clamp(-STRETCH * 2 / side, STRETCH * 2 / side)
    line = F.pad(slope.cumsum(2), (1, 0)) + line[..., :1]
    place = places(side, base.device)
    seen = place + line
    ink = ink_of(base)[:, 0]
    inked = torch.stack([ink.amax(1), ink.amax(2)], 1) > INK
    first = torch.where(inked, place, 1.0).amin(2, keepdim=True)
    last = torch.where(inked, place, -1.0).amax(2, keepdim=True)
    low, high = seen[..., :1], seen[..., -1:]
    share = (seen - low) / (high - low)
    seen = low.minimum(first) + share * (high.maximum(last) - low.minimum(first))
    line = seen - place
    return torch.stack([line[:, 0, None].expand(-1, side, -1), line[:, 1, :, None].expand(-1, -1, side)], 1)


def resized(maps: Tensor, side: int) -> Tensor:
    """Maps [N, c, s, s] at another side, smoothly; c may be 0."""
    if not maps.shape[1]:
        return maps.new_zeros(len(maps), 0, side, side)
    return F.interpolate(maps, size=(side, side), mode="bicubic", align_corners=False)


def warped(base: Tensor, grid: Tensor, drawn: Tensor, ruled: Tensor) -> Tensor:
    """Base images [N, C, S, S] at the places of a grid [N, S, S, 2].

    Of pixel art, with so many pixels a side of a drawn one [N], whole ones are taken; gradients are still those between pixels.
    """
    colour, pixel_art = base.shape[1] == 3, drawn > 1

    def sampled(sample: Sample, places: Tensor) -> Tensor:
        return sample_pictures(base, places, sample) if colour else sample(base + 1, places) - 1

    smooth = sampled(sample_bicubic if colour else sample_bilinear, grid)
    if not colour and ruled.any():  # whose edges are sharp
        smooth = torch.lerp(smooth, sampled(sample_bicubic, grid).clamp(-1, 1), ruled)
    if not pixel_art.any():
        return smooth
    nearest = sampled(sample_nearest, in_blocks(grid.permute(0, 3, 1, 2), drawn).permute(0, 2, 3, 1))
    return torch.where(pixel_art[:, None, None, None], smooth + (nearest - smooth).detach(), smooth)
