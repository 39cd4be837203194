"""Variety: how much samples differ from each other and from their support image, beside what real images do.

A generator that bends its support image a little satisfies a critic for a long time. This term of its loss says so
at once: each pair of images that is nearer than real pairs of the task are on average is pushed apart, none further than that
(mode seeking, Mao et al. 2019, with a ceiling), so that an outlier gains nothing.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 32  # images are compared at this size, softened, with their ink centred: to shift a copy is no variety
SLACK = 0.02  # added to the real distance that a shortfall is a share of


def shortfall(real: Tensor, fake: Tensor, bases: Tensor, pack: int) -> Tensor:
    """By which share packs of samples fall short of real ones; a scalar, 0 where each pair differs enough.

    Images [B, N, C, S, S]: real and fake ones, and the support images that both stand beside.
    """
    beside = signatures(bases)
    with torch.no_grad():
        wanted = _differences(signatures(real), beside, pack)
    found = _differences(signatures(fake), beside, pack)
    parts = []
    for want, have in zip(wanted, found, strict=True):
        enough = want.mean(1, keepdim=True)
        parts.append((F.relu(enough - have) / (enough + SLACK)).mean())
    return torch.stack(parts).sum()


def _differences(images: Tensor, bases: Tensor, pack: int) -> tuple[Tensor, ...]:
    """Distances within packs [B, N / pack] and to the support images [B, N], of signatures [B, N, F]."""
    away = 1 - (images * bases).sum(-1)
    if pack == 1:
        return (away,)
    together = images.unflatten(1, (-1, pack)).sum(2).square().sum(-1)  # pack + twice the sum over pairs
    return 1 - (together - pack) / (pack * (pack - 1)), away


def signatures(images: Tensor) -> Tensor:
    """Images [B, N, C, S, S] as unit vectors [B, N, F]: the cosine of two says how alike they look."""
    flat = F.interpolate(images.flatten(0, 1).float(), size=(SIDE, SIDE), mode="area")
    flat = _centred((flat + 1) / 2) if flat.shape[1] == 1 else flat - flat.mean((2, 3), keepdim=True)
    soft = F.avg_pool2d(F.avg_pool2d(flat, 3, 1, 1), 3, 1, 1)
    return torch.as_tensor(F.normalize(soft.flatten(1), dim=1).unflatten(0, images.shape[:2]))


def _centred(ink: Tensor) -> Tensor:
    """Ink [N, 1, SIDE, SIDE] moved so that its centre of mass is the image's."""
    axis = torch.linspace(1 / SIDE - 1, 1 - 1 / SIDE, SIDE, device=ink.device)
    mass = ink.sum((1, 2, 3)).clamp(min=1e-3)
    x, y = (ink.sum((1, 2)) * axis).sum(1) / mass, (ink.sum((1, 3)) * axis).sum(1) / mass
    theta = torch.eye(2, 3, device=ink.device) + torch.stack([x, y], 1)[:, :, None] * torch.tensor(
        [0.0, 0.0, 1.0], device=ink.device
    )
    return F.grid_sample(ink, F.affine_grid(theta, list(ink.shape), align_corners=False), align_corners=False)
