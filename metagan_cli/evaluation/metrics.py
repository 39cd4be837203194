"""What samples are worth, from their features: T tasks, N samples and R real images each, D features.

Every figure comes task by task, so that its uncertainty can be had by drawing tasks again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from metagan_cli.rng import generator_for

WAYS = 20  # tasks that a sample is recognised among
FEWEST_TASKS = 5  # below this nothing is said about recognizability
NEIGHBOURS = 3  # k of the nearest-neighbour figures: tasks are small
RESAMPLES = 1000  # of the bootstrap


@dataclass(frozen=True)
class Figure:
    """A mean over tasks and its 95 % interval."""

    mean: float
    low: float
    high: float
    tasks: int


def evenly(count: int, most: int) -> list[int]:
    """At most `most` numbers below `count`, evenly spread."""
    return torch.linspace(0, count - 1, min(count, most)).round().long().tolist()


def by_task(see: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """What is seen in images [T, N, C, S, S] by what takes [M, C, S, S]: [T, N, ...]."""
    return torch.as_tensor(see(images.flatten(0, 1)).unflatten(0, images.shape[:2]))


def figure(values: Tensor) -> Figure:
    """The mean of one value a task [T], and its percentile bootstrap interval over tasks (Efron 1979)."""
    values = values.double()
    rng = generator_for(0, "bootstrap")
    drawn = torch.randint(len(values), (RESAMPLES, len(values)), generator=rng)
    means = values[drawn].mean(1)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Figure(float(values.mean()), low, high, len(values))


def recognizability(prototypes: Tensor, samples: Tensor, own: Tensor, ways: int = WAYS) -> Tensor:
    """Share of the samples [T, N, D] that are nearest to their own task's prototype among `ways` of [P, D]: [T], in [0, 1].

    `own` [T] holds the number of each task's prototype.

    One-shot classification by a prototypical net (Boutin et al. 2022, section 2; Snell et al. 2017). The mean over
    all choices of the other tasks, in closed form: where r prototypes are nearer than the own one, none of them is among
    ways - 1 of the P - 1 others in C(P - 1 - r, ways - 1) of C(P - 1, ways - 1) choices.
    Raises ValueError for fewer than FEWEST_TASKS prototypes; with fewer than `ways` it is among all of them.
    """
    known = len(prototypes)
    if known < FEWEST_TASKS:
        raise ValueError(f"recognizability needs {FEWEST_TASKS} tasks, not {known}")
    others = min(ways, known) - 1
    apart = torch.cdist(samples.double().flatten(0, 1), prototypes.double()).unflatten(0, samples.shape[:2])
    to_own = apart[torch.arange(len(samples)), :, own]
    nearer = (apart < to_own[..., None]).sum(2)
    chance = [math.comb(known - 1 - r, others) / math.comb(known - 1, others) for r in range(known)]
    return torch.tensor(chance, dtype=torch.float64)[nearer].mean(1)


def diversity(samples: Tensor) -> Tensor:
    """Mean standard deviation of the features of each task's samples [T, N, D]: [T] (Boutin et al. 2022, section 2).

    Divided by c4(N), the expectation of a deviation of N normal values, so that few images (real ones, mostly) are not
    taken for less varied than many (Montgomery, Introduction to Statistical Quality Control). Raises ValueError for fewer than
    two samples.
    """
    n = samples.shape[1]
    if n < 2:
        raise ValueError("diversity needs two samples a task")
    c4 = math.sqrt(2 / (n - 1)) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))
    return samples.double().std(1, unbiased=True).mean(1) / c4


def kernel_width(real: Tensor) -> float:
    """The median distance between two real images [T, R, D] of one task, above 0. Raises ValueError for a single image a task."""
    count = real.shape[1]
    if count < 2:
        raise ValueError("the kernel's width needs two real images a task")
    row, column = torch.triu_indices(count, count, 1)
    return float(torch.cdist(real.double(), real.double())[:, row, column].median().clamp(min=1e-6))


def kernel_distance(real: Tensor, samples: Tensor, width: float) -> Tensor:
    """Unbiased squared MMD of samples [T, N, D] from real images [T, R, D] with the kernel exp(-distance / width): [T].

    Gretton et al. 2012, eq. 3, with the Laplace kernel, which a few images suffice for: that of KID (Bińkowski et al. 2018) has
    no bound.
    May be negative by chance, at most 2. Raises ValueError for fewer than two images on a side.
    """
    return _squared_mmd(real, samples, lambda left, right: torch.exp(-torch.cdist(left, right) / width))


def polynomial_distance(real: Tensor, samples: Tensor) -> Tensor:
    """The same with KID's kernel (x y / D + 1)^3 (Bińkowski et al. 2018), for each task alone: [T]."""
    return _squared_mmd(real, samples, lambda left, right: (left @ right.transpose(1, 2) / left.shape[2] + 1) ** 3)


def _squared_mmd(real: Tensor, samples: Tensor, alike: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Unbiased, by a kernel that gives [T, N, M] of features [T, N, D] and [T, M, D]."""
    if min(real.shape[1], samples.shape[1]) < 2:
        raise ValueError("the kernel distance needs two images on either side")

    def among(images: Tensor) -> Tensor:
        n, kernel = images.shape[1], alike(images, images)
        return (kernel.sum((1, 2)) - kernel.diagonal(dim1=1, dim2=2).sum(1)) / (n * (n - 1))

    real, samples = real.double(), samples.double()
    return among(real) + among(samples) - 2 * alike(real, samples).mean((1, 2))


@dataclass(frozen=True)
class Manifold:
    """Nearest-neighbour figures, one a task [T]."""

    precision: Tensor  # share of samples within the real images' neighbourhoods, in [0, 1]
    recall: Tensor  # share of real images within the samples' neighbourhoods, in [0, 1]
    density: Tensor  # how many real neighbourhoods a sample lies in, over k: about 1 for real images
    coverage: Tensor  # share of real images with a sample in their neighbourhood, in [0, 1]


def manifold(real: Tensor, samples: Tensor, k: int = NEIGHBOURS) -> Manifold:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    Of real images [T, R, D] and samples [T, N, D]. Raises ValueError where a side has no more than k images.
    """
    if min(real.shape[1], samples.shape[1]) <= k:
        raise ValueError(f"neighbourhoods of {k} need more than {k} images on either side")
    real, samples = real.double(), samples.double()
    across = torch.cdist(real, samples)  # [T, R, N]
    near_real, near_samples = (torch.cdist(x, x).kthvalue(k + 1, dim=2).values for x in (real, samples))
    inside = across < near_real[:, :, None]
    return Manifold(
        precision=inside.any(1).double().mean(1),
        recall=(across < near_samples[:, None, :]).any(2).double().mean(1),
        density=inside.double().sum(1).mean(1) / k,
        coverage=(across.amin(2) < near_real).double().mean(1),
    )


def neighbour_accuracy(real: Tensor, samples: Tensor) -> Tensor:
    """Leave-one-out accuracy of telling real images [T, R, D] from samples [T, N, D] by the nearest neighbour: [T].

    (n - 1) / (2 n - 1), just below 0.5, where n images of either side cannot be told apart, 1 where they can, less where samples
    copy those very images (Lopez-Paz & Oquab 2017; Xu et al. 2018). The larger side is cut to the smaller one's size.
    """
    count = min(real.shape[1], samples.shape[1])
    if count < 2:
        raise ValueError("nearest neighbours need two images on either side")
    both = torch.cat([real[:, :count], samples[:, :count]], 1).double()
    apart = torch.cdist(both, both) + torch.diag(torch.full((2 * count,), math.inf, dtype=torch.float64))
    nearest_is_real = apart.argmin(2) < count
    is_real = torch.arange(2 * count) < count
    return (nearest_is_real == is_real).double().mean(1)
