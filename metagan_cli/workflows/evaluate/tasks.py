"""The tasks of an evaluation: which images an adaptation sees, and which it is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from metagan_cli.data.sources.tasks import TaskSource
from metagan_cli.errors import InputError
from metagan_cli.evaluation.judges import Judges
from metagan_cli.evaluation.metrics import FEWEST_TASKS, evenly
from metagan_cli.images.typical import most_typical_first
from metagan_cli.rng import generator_for


@dataclass(frozen=True)
class EvaluationTask:
    """One task's images, [., C, S, S] in [-1, 1]; `more` and `truth` are different held-out ones."""

    number: int
    title: str
    support: Tensor
    more: Tensor
    truth: Tensor


HELD_OUT = (9, 8, 7, 6, 5, 4)  # real images of a task on either side of a comparison: the most that the tasks allow
T = TypeVar("T")


def draw_tasks(source: TaskSource, shots: int, most: int, seed: int, judges: Judges | None = None) -> list[EvaluationTask]:
    """Evenly chosen tasks with `shots` support images and, twice, the most of HELD_OUT that half of the tasks have.

    Or fewer, where only then there are tasks enough to ask for which one a sample is recognised as.

    With judges the first support image is the most typical of those drawn, as Boutin et al. 2022 show each category's
    prototype: one odd drawing says little about what it was meant to be.
    Raises InputError where fewer than two tasks hold enough.
    """
    able = {n: source.tasks(shots + 2 * n) for n in HELD_OUT}
    if able[HELD_OUT[-1]] < 2:
        raise InputError(
            f"{source.name}: evaluation with {shots} shots needs two tasks of {shots + 2 * HELD_OUT[-1]} images or more"
        )
    fewest = max(min(FEWEST_TASKS, able[HELD_OUT[-1]]), able[HELD_OUT[-1]] / 2)
    held_out = next(n for n in HELD_OUT if able[n] >= fewest)
    each = shots + 2 * held_out
    count = source.tasks(each)
    drawn = []
    for place, number in enumerate(evenly(count, most)):
        images = source.draw(number, each, generator_for(seed, "evaluation", number)).float() / 127.5 - 1
        if judges is not None:
            images = most_typical_first(images[None], judges.describe(images)[None])[0]  # not by the net that recognises
        support, more, truth = images.split([shots, held_out, held_out])
        drawn.append(EvaluationTask(place, source.title(number, each), support, more, truth))
    return drawn


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, at even steps from the first on."""
    return list(items[:: max(1, len(items) // most)][:most])
