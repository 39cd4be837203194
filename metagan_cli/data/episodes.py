"""Episodes: a support set and a query set for each task of a batch, drawn by the step's number alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from metagan_cli.config import TrainConfig
from metagan_cli.data.augmentation import augment
from metagan_cli.data.sources.tasks import TaskSource
from metagan_cli.errors import InputError
from metagan_cli.rng import generator_for, one_of

T = TypeVar("T")
MANY_MOTIFS_FROM = 4  # one example cannot tell "more of this motif" from "more by this hand": fewer shots mean the motif


@dataclass(frozen=True)
class Episode:
    """Images in [-1, 1]: support [B, K, C, S, S] and query [B, Q, C, S, S]."""

    support: Tensor
    query: Tensor

    @property
    def images(self) -> tuple[Tensor, ...]:
        """All of them, as an outer loop takes them."""
        return self.support, self.query

    def pin_memory(self) -> "Episode":
        """The same where a GPU fetches it from while it computes."""
        return Episode(*(images.pin_memory() for images in self.images))


class Episodes:
    """Draws episodes from weighted sources."""

    def __init__(self, sources: Sequence[TaskSource], weights: Sequence[float], config: TrainConfig) -> None:
        self.sources, self.weights, self.config = sources, torch.tensor(weights), config
        for shots in config.shots:
            if not self._able(shots).any():
                raise InputError(f"no task holds {shots} support and {config.queries} query images")

    def _able(self, shots: int) -> Tensor:
        """The weights of the sources that have tasks for this many shots; the others' are zero."""
        count = shots + self.config.queries
        able = [s.tasks(count) > 0 and (s.motif == "one" or shots >= MANY_MOTIFS_FROM) for s in self.sources]
        return self.weights * torch.tensor(able)

    def draw(self, step: int, tasks: Sequence[int] | None = None) -> Episode:
        """The episode of an outer step; where some `tasks` of its batch are named, these alone."""
        config = self.config
        rng = generator_for(config.seed, "episode", step)
        shots = one_of(config.shots, rng)
        chosen = torch.multinomial(self._able(shots), config.tasks_per_batch, replacement=True, generator=rng).tolist()
        drawn = []
        for task in range(config.tasks_per_batch) if tasks is None else tasks:
            rng = generator_for(config.seed, "task", step * config.tasks_per_batch + task)
            drawn.append(augment(draw_task(self.sources[chosen[task]], shots + config.queries, rng)[None], rng))
        images = torch.cat(drawn)
        return Episode(images[:, :shots], images[:, shots:])

    def stream(self, first: int, last: int, workers: int, tasks: Sequence[int] | None = None) -> Iterable[Episode]:
        """The episodes of outer steps `first` to `last` - 1, drawn ahead by so many processes, or as they are asked for."""
        return stream(partial(self.draw, tasks=tasks), range(first, last), workers)


def stream(draw: Callable[[int], T], steps: range, workers: int) -> Iterable[T]:
    """What is drawn for each of some outer steps, ahead by so many processes, or as it is asked for."""
    if not workers:
        return map(draw, steps)
    return DataLoader(_Steps(draw, steps), batch_size=None, num_workers=workers, pin_memory=torch.cuda.is_available())


@dataclass(frozen=True)
class _Steps(Dataset[Any]):
    """A range of outer steps, for processes that draw their episodes."""

    draw: Callable[[int], Any]
    steps: range

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Any:
        return self.draw(self.steps[index])


def draw_task(source: TaskSource, count: int, rng: torch.Generator) -> Tensor:
    """`count` images of a random task of the source, [count, C, S, S] in [-1, 1]."""
    index = int(torch.randint(source.tasks(count), (1,), generator=rng))
    return source.draw(index, count, rng).float() / 127.5 - 1
