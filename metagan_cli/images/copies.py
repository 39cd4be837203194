"""Are samples copies of the examples? Measured without any network."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.rng import generator_for

SIDE = 32  # images are compared at this size, softened
SHIFT = 2  # and moved by up to this many of its pixels, both ways, in steps of half a pixel
CHUNK = 32  # images whose shifts are in memory together
JITTERS, MOST = 24, 0.75  # redraws of each example that set its threshold, and the share of them within it
JITTER = (math.radians(4), 0.04, 0.03)  # turn, scale, shift as a share of the side: what still counts as the same drawing


@dataclass(frozen=True)
class CopyReport:
    """How near samples are to the examples; distances run from 0 (same) to about 1 (nothing in common)."""

    samples: int
    copies: int  # samples nearer to an example than small turns, shifts and scalings of that example are
    nearest: float  # median distance of a sample to its nearest example
    spread: float  # mean distance between two samples
    examples_nearest: float | None  # the same two among the examples, where there are enough of them
    examples_spread: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures by name, rounded."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in self.__dict__.items()}


def distances(left: Tensor, right: Tensor) -> Tensor:
    """Distances [N, M] of images [N, C, S, S] to images [M, C, S, S]: one less the best cosine over small shifts."""
    flat = F.normalize(_soft(left).flatten(1), dim=1)
    best = [(flat @ _moved(some).flatten(0, 1).T).view(len(flat), -1, len(some)).amax(1) for some in _soft(right).split(CHUNK)]
    return (1 - torch.cat(best, 1)).clamp(min=0)


def _moved(soft: Tensor) -> Tensor:
    """Unit vectors [P, M, F] of M softened images at all P shifts."""
    side = 2 * SIDE - 1  # half pixels between
    finer = F.pad(F.interpolate(soft, size=(side, side), mode="bilinear", align_corners=True), (2 * SHIFT,) * 4)
    windows = finer.unfold(2, side, 1).unfold(3, side, 1)[..., ::2, ::2]
    return F.normalize(windows.permute(2, 3, 0, 1, 4, 5).flatten(3).flatten(0, 1), dim=2)


def spread(images: Tensor) -> float:
    """The mean distance between two different images of [N, C, S, S], N at least 2."""
    apart = distances(images, images)
    return float(apart.sum() - apart.diagonal().sum()) / (len(images) * (len(images) - 1))


def copy_report(samples: Tensor, examples: Tensor) -> CopyReport:
    """Compares samples [N, C, S, S] with examples [K, C, S, S], both in [-1, 1]."""
    apart = distances(samples, examples)
    among = distances(examples, examples) + 2 * torch.eye(len(examples))
    return CopyReport(
        samples=len(samples),
        copies=int(are_copies(apart, thresholds(examples)).sum()),
        nearest=float(apart.amin(1).median()),
        spread=spread(samples) if len(samples) > 1 else 0.0,
        examples_nearest=float(among.amin(1).median()) if len(examples) > 2 else None,
        examples_spread=spread(examples) if len(examples) > 2 else None,
    )


def are_copies(apart: Tensor, within: Tensor) -> Tensor:
    """Which samples [N] are copies, by their distances [N, K] from the examples and those examples' thresholds [K]."""
    return (apart < within).any(1)


def nearest_examples(apart: Tensor, within: Tensor) -> list[tuple[int, float, bool]]:
    """Of each sample the number of its nearest example, its distance from that, and whether it is a copy; as `are_copies`."""
    return list(zip(apart.argmin(1).tolist(), apart.amin(1).tolist(), are_copies(apart, within).tolist(), strict=True))


def thresholds(examples: Tensor) -> Tensor:
    """For each example [K], the distance that most slight redraws of it stay within."""
    rng = generator_for(0, "copy jitter")
    turn, scale, shift = (size * torch.randn(JITTERS, generator=rng) for size in JITTER)
    shift_y = JITTER[2] * torch.randn(JITTERS, generator=rng)
    rows = [torch.stack([turn.cos(), -turn.sin()], 1), torch.stack([turn.sin(), turn.cos()], 1)]
    linear = torch.stack(rows, 1) * torch.exp(scale)[:, None, None]
    theta = torch.cat([linear, torch.stack([shift, shift_y], 1)[:, :, None] * 2], 2)
    found = []
    for example in examples:
        ground = example.flatten(1).median(1).values[:, None, None]
        batch = (example - ground).expand(JITTERS, -1, -1, -1)
        moved = F.grid_sample(batch, F.affine_grid(theta, list(batch.shape), align_corners=False), align_corners=False)
        found.append(distances(moved + ground, example[None])[:, 0].quantile(MOST))
    return torch.stack(found)


def _soft(images: Tensor) -> Tensor:
    """Images [N, C, S, S] at the comparison size, softened; gray ones as ink in [0, 1], colour ones about their mean."""
    x = F.interpolate(images.float(), size=(SIDE, SIDE), mode="area")
    x = (x + 1) / 2 if x.shape[1] == 1 else x - x.mean((2, 3), keepdim=True)
    return F.avg_pool2d(F.avg_pool2d(x, 3, 1, 1), 3, 1, 1)
