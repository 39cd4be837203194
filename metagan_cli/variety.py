"""Variety: how much samples differ from each other and from their support image, beside what real images do.

A generator that bends its support image a little satisfies a critic for a long time. This term of its loss says so
at once: samples that are nearer to each other, or to their support image, than all but a few real images of the task are
pushed apart, and none further than that (mode seeking, Mao et al. 2019, with a ceiling), so that an outlier gains nothing.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 32  # images are compared at this size, softened, with their ink centred: to shift a copy is no variety
FEW = 0.25  # the share of real pairs that may be nearer
SLACK = 0.02  # added to the real distance that a shortfall is a share of


def shortfall(real: Tensor, fake: Tensor, bases: Tensor, pack: int) -> Tensor:
    """By which share packs of samples fall short of real ones; a scalar, 0 where all differ enough.

    Images [B, N, C, S, S]: real and fake ones, and the support images that both stand beside.
    """
    beside, true, false = signatures(bases), signatures(real), signatures(fake)
    parts = [_missing(1 - (true * beside).sum(-1), 1 - (false * beside).sum(-1))]
    if pack > 1:
        one, other = torch.triu_indices(true.shape[1], true.shape[1], 1)
        apart = 1 - (true[:, one] * true[:, other]).sum(-1)
        together = false.unflatten(1, (-1, pack)).sum(2).square().sum(-1)  # pack + twice the sum over its pairs
        parts.append(_missing(apart, 1 - (together - pack) / (pack * (pack - 1))))
    return torch.stack(parts).sum()


def _missing(real: Tensor, fake: Tensor) -> Tensor:
    """The mean shortfall of distances [B, M] of samples, as a share of what is enough for real ones [B, N]."""
    enough = real.quantile(FEW, 1, keepdim=True)
    return (F.relu(enough - fake) / (enough + SLACK)).mean()


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
