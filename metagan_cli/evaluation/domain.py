"""How far a folder is from what a model was trained on, by simple measures of its images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.errors import UsageError
from metagan_cli.values import from_dict

MEASURES = 6  # of an image
FAR_QUANTILE = 0.99  # a folder is far when this share of the training tasks is nearer


@dataclass(frozen=True)
class Domain:
    """The distribution of the training tasks' mean measures."""

    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]  # inverse covariance
    far: float  # the distance from which on a folder is called far

    def distance(self, images: Tensor) -> float:
        """Mahalanobis distance of a folder's images [N, C, S, S], as a multiple of `far`: above 1 is far."""
        gap = measure(images).mean(0) - torch.tensor(self.mean)
        return float((gap @ torch.tensor(self.precision) @ gap).clamp(min=0).sqrt()) / self.far

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a model's metadata."""
        return {"mean": list(self.mean), "precision": [list(row) for row in self.precision], "far": self.far}


def domain_from_dict(values: dict[str, Any]) -> Domain:
    """The domain in a model's metadata. Raises UsageError where it is none."""
    domain = from_dict(Domain, values, "domain.")
    sides = {len(domain.mean), len(domain.precision), *map(len, domain.precision)}
    if sides != {MEASURES} or domain.far <= 0:
        raise UsageError(f"domain: needs {MEASURES} means, as many rows of as many numbers, and a distance above 0")
    return domain


def measure(images: Tensor) -> Tensor:
    """Ink, half-tones, edges, stroke width, texture and extent [N, 6] of images [N, C, S, S] in [-1, 1]."""
    x = (images.float().mean(1, keepdim=True) + 1) / 2
    edges = F.pad(x.diff(dim=3).abs(), (0, 1)) + F.pad(x.diff(dim=2).abs(), (0, 0, 0, 1))
    texture = (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).abs()
    ink, length = x.mean((1, 2, 3)), edges.mean((1, 2, 3))
    half_tones = ((x > 0.15) & (x < 0.85)).float().mean((1, 2, 3))
    axis = torch.linspace(-1, 1, x.shape[-1])
    weight = x[:, 0] / x.sum((1, 2, 3)).clamp(min=1e-6)[:, None, None]
    extent = (weight.sum(1) * axis**2).sum(1) + (weight.sum(2) * axis**2).sum(1)
    width = (ink / length.clamp(min=1e-4)).clamp(max=20)
    return torch.stack([ink, half_tones, length, width, texture.mean((1, 2, 3)), extent], 1)


def fit_domain(tasks: Sequence[Tensor]) -> Domain:
    """The domain of training tasks, each [N, C, S, S]."""
    means = torch.stack([measure(images).mean(0) for images in tasks])
    centre = means.mean(0)
    gaps = means - centre
    covariance = gaps.T @ gaps / max(1, len(means) - 1)
    precision = torch.linalg.inv(covariance + torch.diag(covariance.diagonal() * 0.05 + 1e-6))
    apart = torch.einsum("ni,ij,nj->n", gaps, precision, gaps).clamp(min=0).sqrt()
    far = float(apart.quantile(FAR_QUANTILE).clamp(min=1e-3))
    return Domain(tuple(centre.tolist()), tuple(map(tuple, precision.tolist())), far)
