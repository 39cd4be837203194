"""All figures of one row of an evaluation: samples of every task beside real images of it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from metagan_cli.evaluation import metrics
from metagan_cli.evaluation.copies import are_copies, distances, thresholds
from metagan_cli.evaluation.judges import Judges

# a verdict on the distance of samples from the examples, in distances of real images from them
VERDICTS = ((0.5, "copies the examples"), (0.8, "stays close to the examples"), (1.25, "as new as real images"))


@dataclass(frozen=True)
class Score:
    """Figures of a row by name; those that the images do not suffice for are missing. `values` hold one number a task [T]."""

    figures: dict[str, metrics.Figure]
    values: dict[str, Tensor]

    @property
    def verdict(self) -> str:
        """How new the samples are, in words."""
        newness = self.figures["newness"].mean
        return next((words for limit, words in VERDICTS if newness < limit), "further from the examples than real images")


def score(judges: Judges, supports: Tensor, own: Tensor, samples: Tensor, real: Tensor) -> Score:
    """Of T tasks: samples [T, N, C, S, S] and held-out real images [T, R, C, S, S] in [-1, 1].

    `supports` [P, K, C, S, S] are those of all tasks, T of them and more, that a sample may be taken for; `own` [T] says
    which of them each task has.
    """
    described, described_real = (_by_task(judges.describe, images) for images in (samples, real))
    prototypes, identified = (_by_task(judges.identify, images) for images in (supports, samples))
    support = supports[own]
    values: dict[str, Tensor] = {}

    def add(name: str, measure: Callable[[], Tensor]) -> None:
        try:
            values[name] = measure().float()
        except ValueError:  # too few images or tasks: a number would mean nothing
            return

    add("recognizability", lambda: metrics.recognizability(prototypes.mean(1), identified, own))
    add("diversity", lambda: metrics.diversity(described))
    add("kernel", lambda: metrics.kernel_distance(described_real, described))
    with contextlib.suppress(ValueError):
        values |= {name: value.float() for name, value in vars(metrics.manifold(described_real, described)).items()}
    add("neighbour", lambda: metrics.neighbour_accuracy(described_real, described))
    tasks = list(zip(support, samples, real, strict=True))
    apart = [distances(drawn, examples) for examples, drawn, _ in tasks]
    far = [distances(truth, examples).amin(1).median() for examples, _, truth in tasks]
    values["copies"] = torch.stack(
        [are_copies(d, thresholds(examples)).float().mean() for d, (examples, _, _) in zip(apart, tasks, strict=True)]
    )
    values["newness"] = torch.stack([d.amin(1).median() / f.clamp(min=1e-3) for d, f in zip(apart, far, strict=True)])
    return Score({name: metrics.figure(value) for name, value in values.items()}, values)


def _by_task(see: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Features [T, N, D] of images [T, N, C, S, S]."""
    features = see(images.flatten(0, 1))
    return features.view(*images.shape[:2], features.shape[1])
