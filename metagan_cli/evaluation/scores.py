"""All figures of one row of an evaluation: samples of every task beside real images of it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from metagan_cli.evaluation import metrics, plain
from metagan_cli.evaluation.inception import inception_features, inception_figures
from metagan_cli.evaluation.judges import Judges
from metagan_cli.evaluation.outside import OutsideNet, OutsideRuler
from metagan_cli.images.copies import are_copies, distances, thresholds
from metagan_cli.images.resampling import at_side

LEAST = 1e-3  # of a plain figure of examples, in which those of samples are given
# a verdict on the distance of samples from the examples, in distances of real images from them
VERDICTS = ((0.5, "copies the examples"), (0.8, "stays close to the examples"), (1.25, "as new as real images"))


@dataclass(frozen=True)
class Score:
    """Figures of a row by name; those that the images do not suffice for are missing. `values` hold one number a task [T]."""

    figures: dict[str, metrics.Figure]
    values: dict[str, Tensor]

    @classmethod
    def of(cls, values: dict[str, Tensor]) -> "Score":
        """Of one value a task by name."""
        return cls({name: metrics.figure(value) for name, value in values.items()}, values)

    @property
    def verdict(self) -> str:
        """How new the samples are, in words."""
        newness = self.figures["newness"].mean
        return next((words for limit, words in VERDICTS if newness < limit), "further from the examples than real images")


class Ruler:
    """What samples of a set of tasks are measured by, made once: P tasks with their support and held-out real images."""

    def __init__(
        self,
        judges: Judges,
        supports: Tensor,
        real: Tensor,
        inception: nn.Module | None = None,
        outside: OutsideNet | None = None,
    ) -> None:
        """Of supports [P, K, C, S, S] and real images [P, R, C, S, S] in [-1, 1]; all is judged at the size of these."""
        self.side = real.shape[-1]
        supports = _at_side(supports, self.side)
        self.outside = None if outside is None else OutsideRuler(outside, supports, real)
        self.clean = {name: _mean_by_task(of, supports).clamp(min=LEAST) for name, of in plain.FIGURES.items()}
        self.inception = inception
        self.inception_real = None if inception is None else inception_features(inception, real.flatten(0, 1))
        self.judges, self.supports = judges, supports
        self.prototypes = metrics.by_task(judges.identify, supports).mean(1)
        self.real = metrics.by_task(judges.describe, real)
        self.width = metrics.kernel_width(self.real)
        self.redraws = torch.stack([thresholds(examples) for examples in supports])
        pairs = zip(real, supports, strict=True)
        self.far = torch.stack([distances(images, examples).amin(1).median() for images, examples in pairs]).clamp(min=1e-3)

    def measure(self, samples: Tensor, own: Tensor) -> Score:
        """Figures of samples [T, N, C, S, S] in [-1, 1] of the tasks with numbers own [T]; they may be taken for any of the P."""
        samples = _at_side(samples, self.side)
        described, identified = (metrics.by_task(see, samples) for see in (self.judges.describe, self.judges.identify))
        real, values = self.real[own], dict[str, Tensor]()

        def add(name: str, measure: Callable[[], Tensor]) -> None:
            with contextlib.suppress(ValueError):  # too few images or tasks: a number would mean nothing
                values[name] = measure().float()

        add("recognizability", lambda: metrics.recognizability(self.prototypes, identified, own))
        add("diversity", lambda: metrics.diversity(described))
        add("kernel", lambda: metrics.kernel_distance(real, described, self.width))
        with contextlib.suppress(ValueError):
            values |= {name: value.float() for name, value in vars(metrics.manifold(real, described[:, : real.shape[1]])).items()}
        add("neighbour", lambda: metrics.neighbour_accuracy(real, described))
        apart = [distances(drawn, self.supports[task]) for drawn, task in zip(samples, own, strict=True)]
        copied = [are_copies(d, self.redraws[task]) for d, task in zip(apart, own, strict=True)]
        values["copies"] = torch.stack(copied).float().mean(1)
        values["newness"] = torch.stack([d.amin(1).median() for d in apart]) / self.far[own]
        values |= {name: _mean_by_task(of, samples) / self.clean[name][own] for name, of in plain.FIGURES.items()}
        if self.outside is not None:
            values |= self.outside.measure(samples, own)
        return Score.of(values)

    def pool(self, samples: Tensor) -> dict[str, float]:
        """KID and FID of samples [P, N, C, S, S] of all tasks together; nothing without Inception."""
        if self.inception is None or self.inception_real is None:
            return {}
        return inception_figures(self.inception_real, inception_features(self.inception, samples.flatten(0, 1)))


def _at_side(images: Tensor, side: int) -> Tensor:
    """Images [T, N, C, S, S] at another size: how even pictures are, and how sharp, hangs on it."""
    return metrics.by_task(partial(at_side, side=side), images)


def _mean_by_task(of: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The mean figure [T] of images [T, N, C, S, S]."""
    return metrics.by_task(of, images.float()).mean(1)
