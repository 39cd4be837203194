"""evaluate: how good models are on tasks that they have not seen, beside methods measured in the same run."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from metagan_cli.evaluation.outside import NAME as OUTSIDE
from metagan_cli.evaluation.scores import Ruler, Score
from metagan_cli.store.samples import SampleCache, default_folder
from metagan_cli.workflows.evaluate.baselines import REALS, Method, model_method, references
from metagan_cli.workflows.evaluate.setup import Setup
from metagan_cli.workflows.evaluate.tasks import EvaluationTask, draw_tasks, thinned
from metagan_cli.workflows.progress import Report


@dataclass(frozen=True)
class Row:
    """One method at one number of shots."""

    name: str
    kind: str
    shots: int
    own: tuple[int, ...]  # numbers of its tasks
    seconds: float  # of drawing, a task
    score: Score
    pooled: dict[str, float]  # over all tasks together: kid and fid on Inception features, where they could be had
    samples: Tensor  # uint8 [T, N, C, S, S]

    @property
    def tasks(self) -> int:
        """How many tasks it drew for."""
        return len(self.own)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the samples."""
        figures = {name: {k: round(v, 6) for k, v in asdict(f).items()} for name, f in self.score.figures.items()}
        plain = {"name": self.name, "kind": self.kind, "shots": self.shots, "tasks": self.tasks}
        return plain | {"figures": figures, "verdict": self.score.verdict} | {k: round(v, 6) for k, v in self.pooled.items()}


@dataclass(frozen=True)
class Evaluated:
    """All rows, in the order of the table."""

    source: str
    tasks: tuple[EvaluationTask, ...]  # with the most shots
    rows: tuple[Row, ...]
    judges: str  # their hash
    exemplar: str  # which image of a task comes first
    outside_side: int | None = None  # pixels a side that the outside net saw, where it judged

    def relative_diversity(self, row: Row) -> float:
        """A row's diversity in units of that of held-out images of the same tasks at the same shots."""
        real = next(other for other in self.rows if other.name == REALS and other.shots == row.shots)
        return row.score.figures["diversity"].mean / float(real.score.values["diversity"][list(row.own)].double().mean())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without samples and times."""
        rows = [row.as_dict() | {"relative_diversity": round(self.relative_diversity(row), 6)} for row in self.rows]
        outside = None if self.outside_side is None else {"net": OUTSIDE, "side": self.outside_side}
        how = {"judges": self.judges, "outside": outside, "exemplar": self.exemplar}
        return {"source": self.source, "tasks": len(self.tasks), **how, "rows": rows}


def usual_cache() -> SampleCache:
    """The cache in the user's folder."""
    return SampleCache(default_folder())


def evaluate(setup: Setup, cache: SampleCache | None, report: Report) -> Evaluated:
    """Scores the models and their methods on the same tasks, samples of each task kept in the cache until all is done.

    Raises InputError where the source holds too few tasks or images.
    """
    settings = setup.settings
    judges = setup.judges if settings.exemplar == "prototype" else None
    tasks = draw_tasks(setup.source, max(settings.shots), settings.tasks, settings.seed, judges)
    rows = []
    for shots in settings.shots:
        seen = [replace(task, support=task.support[:shots]) for task in tasks]
        ruler = ruler_of(setup, seen)
        methods = [model_method(model, model.name, settings.steps, settings.seed) for model in setup.models]
        for method in (*methods, *references(setup.models[0], settings.steps, settings.seed)):
            rows.append(score_row(setup, ruler, method, seen, cache, report))
    if cache is not None:
        cache.clear()
    side = None if ruler.outside is None else ruler.outside.side  # the same at all shots
    return Evaluated(setup.source.name, tuple(tasks), tuple(rows), setup.judges_hash, settings.exemplar, side)


def ruler_of(setup: Setup, tasks: Sequence[EvaluationTask]) -> Ruler:
    """What samples of these tasks are measured by."""
    supports, real = (torch.stack([getattr(task, name) for task in tasks]) for name in ("support", "truth"))
    return Ruler(setup.judges, supports, real, setup.inception, setup.outside)


def score_row(
    setup: Setup, ruler: Ruler, method: Method, tasks: Sequence[EvaluationTask], cache: SampleCache | None, report: Report
) -> Row:
    """Draws a method's samples for each task, or for a few where it is slow, and scores them."""
    some = thinned(tasks, method.most_tasks or len(tasks))
    count, start, drawn = setup.settings.samples, time.monotonic(), []
    for done, task in enumerate(some):
        key = _key(method, task, count)
        samples = cache.get(key) if cache is not None and method.key else None
        if samples is None:
            samples = ((method.draw(task, tasks, count).clamp(-1, 1) + 1) * 127.5).round().byte()
            if cache is not None and method.key:
                cache.put(key, samples)
        drawn.append(samples)
        report(f"{method.name}, {len(task.support)} shots", done + 1, len(some))
    seconds = (time.monotonic() - start) / len(some)
    own, samples = tuple(task.number for task in some), torch.stack(drawn)
    images = samples.float() / 127.5 - 1
    score = ruler.measure(images, torch.tensor(own))
    pooled = ruler.pool(images) if method.kind == "model" or method.name == REALS else {}
    return Row(method.name, method.kind, len(some[0].support), own, seconds, score, pooled, samples)


def _key(method: Method, task: EvaluationTask, count: int) -> str:
    digest = hashlib.blake2b(f"{method.name} {method.key} {task.number} {count}".encode(), digest_size=16)
    digest.update(task.support.numpy().tobytes())
    return digest.hexdigest()
