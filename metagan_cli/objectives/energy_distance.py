"""The energy score: how well a task's samples stand for the distribution that its held-out images come from.

For fakes f, reals r and a distance d, 2 E d(f, r) - E d(f, f') - E d(r, r') is the energy distance of the two
distributions (Székely & Rizzo 2013), zero only where they agree. Its estimate without the pairs of an image with
itself is unbiased for any number of images, and its expectation over query sets is least for the true distribution of
images given the support (a proper scoring rule: Gneiting & Raftery 2007, section 4.3). So it asks for variety, and for
no more than real images have, where a critic is content with neighbours of the support image for a long time.

Images are compared by signatures that the eye would forgive small differences in: softened shapes with their ink
centred and scaled to one size, so that moving or stretching the support image is no variety of shape; coarse layout; and
how much ink, half-tone and edge there is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.devices import as_float32
from metagan_cli.images.ink import centre, places, profiles
from metagan_cli.images.resampling import sample_bilinear
from metagan_cli.ranks import Part

SIDE = 32  # the finest size that images are compared at
COARSE = 8  # the size at which the layout is compared
EXTENT = 0.45  # deviation of the ink from its centre, in half sides, of shapes scaled to one size
ZOOM = (0.5, 1.5)  # and how far an axis may be scaled for that
LEAST = 0.2  # of a batch's mean distance between real images: a task whose own are more alike is measured by this


@dataclass(frozen=True)
class Yardstick:
    """What images are compared by: a sum of plain distance, a Laplace kernel of it and its square, over several kinds of vectors.

    The kernel is what near neighbours feel, the plain distance reaches further; the square's energy distance is that of the
    means alone, twice squared, whatever the variety. Distances are in units of the mean one between
    a task's real images: a shade more may be nothing among photographs, and everything among portraits of one kind.
    """

    describe: Callable[[Tensor], list[Tensor]]  # images [B, N, C, S, S] to vectors [B, N, F] of several kinds
    straight: float  # weight of the distance
    kernel: float  # weight of the kernel
    reach: float  # distance at which it falls to 1 / e
    square: float = 0.0  # weight of the squared distance

    def unlike(self, distance: Tensor) -> Tensor:
        """How unlike two images are, by their distance."""
        near = self.kernel * (1 - torch.exp(-distance / self.reach))
        return self.straight * distance + near + self.square * distance.square()


def by_features(describe: Callable[[Tensor], list[Tensor]], square: float = 0.0) -> Yardstick:
    """The yardstick for learned features: the kernel and, where asked, the means. The plain distance makes samples timid."""
    return Yardstick(describe, straight=0.0, kernel=4.0, reach=0.5, square=square)


def energy_score(real: Tensor, fake: Tensor, pack: int = 1, by: Yardstick | None = None, part: Part | None = None) -> Tensor:
    """The mean over tasks of `energy_by_task`, a scalar."""
    return energy_by_task(real, fake, pack, by, part=part).mean()


def energy_by_task(
    real: Tensor,
    fake: Tensor,
    pack: int = 1,
    by: Yardstick | None = None,
    counted: Tensor | None = None,
    part: Part | None = None,
) -> Tensor:
    """Energy distance [B] of samples fake [B, M, C, S, S] from real [B, N, C, S, S], N at least 2.

    Averaged over the kinds of vectors that the yardstick compares, `signatures` unless given; 0 where the distributions
    agree, and of either sign by chance. Samples of one run of `pack` share their support image, so they are not compared
    with each other where there are several runs; `counted` [B, M, N] of 0 and 1 says which samples are compared with which
    real images, all unless given. `part` says of which batch these B tasks are a part, where they are one.
    """
    by = by or BY_SIGNATURES
    independent, others = _other_runs(fake.shape[1], pack).to(fake.device), _other_runs(real.shape[1], 1).to(fake.device)
    parts = []
    for true, false in zip(by.describe(real), by.describe(fake), strict=True):
        apart = _euclidean(true, true)
        unit = _units(apart, others, part)
        among_real = _mean(by.unlike(apart / unit), others)
        among_fake = _mean(by.unlike(_euclidean(false, false) / unit), independent)
        across = by.unlike(_euclidean(false, true) / unit)
        across = across.mean((1, 2)) if counted is None else _mean(across, counted)
        parts.append(2 * across - among_fake - among_real)
    return torch.stack(parts).mean(0)


def energy_of_observation(held: Tensor, fake: Tensor, seen: Tensor, by: Yardstick | None = None) -> Tensor:
    """The energy score, a scalar, of images held [B, H, C, S, S] under samples fake [B, M, C, S, S]; less is likelier.

    2 E d(f, h) - E d(f, f'): the energy distance but for what it says of the held images among themselves, so that one is
    enough. Distances are in units of the mean one between the images seen [B, N, C, S, S], N at least 2.
    """
    by, parts = by or BY_SIGNATURES, []
    others = _other_runs(seen.shape[1], 1).to(seen.device)
    for true, false, known in zip(by.describe(held), by.describe(fake), by.describe(seen), strict=True):
        unit = _units(_euclidean(known, known), others)
        among = _mean(by.unlike(_euclidean(false, false) / unit), _other_runs(false.shape[1], 1).to(false.device))
        parts.append((2 * by.unlike(_euclidean(false, true) / unit).mean((1, 2)) - among).mean())
    return torch.stack(parts).mean()


def _units(apart: Tensor, others: Tensor, part: Part | None = None) -> Tensor:
    """What each task's distances are measured in [B, 1, 1]: the mean one between its own images, apart [B, N, N]."""
    own = _mean(apart, others)
    usual = own if part is None else part.gather(own)
    return own.clamp(min=max(LEAST * float(usual.mean()), 1e-3))[:, None, None]


def _other_runs(count: int, pack: int) -> Tensor:
    """Which pairs of samples start from independently drawn support images: [M, M] of 0 and 1; of a single run, all pairs.

    Else nothing would be compared there, and samples all alike would score best.
    """
    run = torch.arange(count) // (pack if count > pack else 1)
    return (run[:, None] != run[None]).float()


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean [B] of the chosen entries of values [B, N, M]; chosen [N, M] or [B, N, M] holds 0 and 1."""
    return torch.as_tensor((values * chosen).sum((-2, -1)) / chosen.sum((-2, -1)).clamp(min=1))


def _euclidean(left: Tensor, right: Tensor) -> Tensor:
    """Euclidean distances [B, N, M] of [B, N, F] to [B, M, F], with a gradient also at zero."""
    squares = left.square().sum(-1)[:, :, None] + right.square().sum(-1)[:, None] - 2 * left @ right.transpose(1, 2)
    return torch.as_tensor((squares.clamp(min=0) + 1e-6).sqrt())


def signatures(images: Tensor) -> list[Tensor]:
    """Images [B, N, C, S, S] in [-1, 1] as vectors [B, N, F] of several kinds."""
    flat = as_float32(images.flatten(0, 1))
    ink = (F.interpolate(flat, size=(SIDE, SIDE), mode="area") + 1) / 2
    shape = _one_size(ink) if ink.shape[1] == 1 else ink - ink.mean((2, 3), keepdim=True)
    layout = F.avg_pool2d(ink, SIDE // COARSE)
    kinds = [_soft(shape), _soft(F.avg_pool2d(shape, 2)), _soft(layout), _texture(flat)]
    return [kind.flatten(1).unflatten(0, images.shape[:2]) for kind in kinds]


BY_SIGNATURES = Yardstick(signatures, straight=1.0, kernel=2.0, reach=0.25)


def _soft(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.avg_pool2d(x, 3, 1, 1), 3, 1, 1)


def _texture(x: Tensor) -> Tensor:
    """Ink, half-tone and edge [N, 3] of images [N, C, S, S]: grays and frayed strokes show here."""
    edges = x.diff(dim=3).abs().mean((1, 2, 3)) + x.diff(dim=2).abs().mean((1, 2, 3))
    return torch.stack([(x + 1).mean((1, 2, 3)) / 2, 2 * (1 - x.square()).clamp(min=0).mean((1, 2, 3)), edges], 1)


def _one_size(ink: Tensor) -> Tensor:
    """Ink [N, 1, SIDE, SIDE] with its centre of mass in the middle and, within ZOOM, one extent on each axis."""
    shares = profiles(ink.clamp(min=0))
    middle = centre(shares)
    away = places(SIDE, ink.device) - middle[..., None]
    extent = ((shares * away.square()).sum(2) + 1e-4).sqrt()
    theta = torch.cat([torch.diag_embed((extent / EXTENT).clamp(*ZOOM)), middle[..., None]], 2)
    return sample_bilinear(ink, F.affine_grid(theta, list(ink.shape), align_corners=False))
