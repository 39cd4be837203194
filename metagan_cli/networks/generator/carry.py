"""What goes with an image goes along: masks, points and boxes under the same plan."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.resampling import sample_bilinear, sample_nearest
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.generator.render import Renderer, grid_at

STEPS, DAMPING = 40, 0.7  # towards the place where a point goes
NEAR = 0.02  # how near its image has to come, in half sides, for a point to be in the picture at all
ALONG = 17  # points on each side of a box that are followed


def carry_mask(
    renderer: Renderer, plan: Plan, number: int, mask: Callable[[int], Tensor], *, soft: bool = False, outside: float = 0.0
) -> Tensor:
    """The mask [M, L, L] of sample `number` of a plan, where `mask` finds those of its support images.

    Labels are those of the nearest pixel, soft masks go along smoothly; parts that others lend bring theirs. `outside` is what
    lies beyond an image.
    """
    one = plan.part(number)
    mixed = mask(int(one.start)).float()
    for donor, part in renderer.parts(one, mixed.shape[-1]):
        mixed = torch.lerp(mixed, mask(donor).float(), part) if soft else torch.where(part > 0.5, mask(donor).float(), mixed)
    sample = sample_bilinear if soft else sample_nearest
    return torch.as_tensor(sample(mixed[None] - outside, grid_at(one.grid, mixed.shape[-1]))[0] + outside)


def carry_points(plan: Plan, number: int, points: Tensor) -> tuple[Tensor, Tensor]:
    """Where points [P, 2] of the image that sample `number` starts from go, (x, y) in [-1, 1], and which stay in it: bool [P].

    A point goes to the place that comes from it: from the nearest pixel's on, by a damped fixed-point iteration.
    """
    grid = plan.grid[number].permute(2, 0, 1)[None]
    side = grid.shape[-1]
    pixel = torch.cdist(points, grid[0].flatten(1).T).argmin(1)
    place = torch.stack([pixel % side, pixel // side], 1) * (2 / side) + (1 / side - 1)
    for _ in range(STEPS):
        place = place + DAMPING * (points - _at(grid, place))
    near = (points - _at(grid, place)).norm(dim=1) < NEAR
    return place, near & (place.abs() <= 1).all(1)


def carry_boxes(plan: Plan, number: int, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes [P, 4] (left, top, right, bottom in [-1, 1]) around where their outlines go, within the picture; and what is left.

    The share of a box's area that lies in the picture is in [0, 1]: [P].
    """
    share = torch.linspace(0, 1, ALONG)
    left, top, right, bottom = (side[:, None] for side in boxes.unbind(1))
    across, down = left + share * (right - left), top + share * (bottom - top)
    x = torch.cat([across, across, left.expand_as(down), right.expand_as(down)], 1)
    y = torch.cat([top.expand_as(across), bottom.expand_as(across), down, down], 1)
    place = carry_points(plan, number, torch.stack([x, y], 2).flatten(0, 1))[0].view(len(boxes), -1, 2)
    low, high = place.amin(1), place.amax(1)
    cut_low, cut_high = low.clamp(-1, 1), high.clamp(-1, 1)
    left_over = (cut_high - cut_low).prod(1) / (high - low).prod(1).clamp(min=1e-9)
    return torch.cat([cut_low, cut_high], 1), left_over.clamp(0, 1)


def _at(grid: Tensor, place: Tensor) -> Tensor:
    """Where places [P, 2] come from, by a grid [1, 2, S, S]; beyond its border as at it, and by their own way beyond."""
    inside = place.clamp(-1, 1)
    found = F.grid_sample(grid, inside[None, None], padding_mode="border", align_corners=False)[0, :, 0].T
    return found + place - inside
