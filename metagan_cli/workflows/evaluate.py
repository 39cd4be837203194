"""evaluate: how good models are on tasks that they have not seen, beside rivals measured in the same run."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.data.episodes import most_typical_first
from metagan_cli.data.folders import read_folder
from metagan_cli.data.sources import Say, open_source
from metagan_cli.data.tasks import TaskSource
from metagan_cli.devices import choose_device
from metagan_cli.errors import InputError, OutputError, UsageError
from metagan_cli.evaluation.inception import cached_inception
from metagan_cli.evaluation.judges import Judges
from metagan_cli.evaluation.metrics import FEWEST_TASKS, evenly
from metagan_cli.evaluation.scores import Ruler, Score
from metagan_cli.rng import generator_for
from metagan_cli.store.features import load_judges
from metagan_cli.store.models import BaseModel, load_model
from metagan_cli.store.samples import SampleCache, default_folder
from metagan_cli.store.shipped import choose_model, find_features, find_model
from metagan_cli.workflows.rivals import REALS, EvaluationTask, Rival, model_rival, references

HELD_OUT = (9, 8, 7, 6, 5, 4)  # real images of a task on either side of a comparison: the most that the tasks allow
LOOK, LOOKS = 32, 16  # pixels a side, and images of a folder that are looked at to choose a model
MARK = "made by metagan evaluate"  # what a report of ours carries

T = TypeVar("T")
Report = Callable[[str, int, int], None]  # what is drawn, tasks done, tasks in all


@dataclass(frozen=True)
class Setup:
    """All that an evaluation works on."""

    models: tuple[BaseModel, ...]
    judges: Judges
    judges_hash: str
    source: TaskSource
    settings: EvaluateConfig
    inception: nn.Module | None  # where its weights are on this machine


def set_up(
    models: Sequence[str], data: DataConfig, settings: EvaluateConfig, device: str = "auto", say: Say = lambda line: None
) -> Setup:
    """Loads everything, once; `say` is told what of the data is skipped.

    Raises CheckpointError for a model, InputError for the data, UsageError where the models do not go together.
    """
    loaded = _told_apart([ready_model(name, device) for name in models])
    config = loaded[0].config
    if len({(model.config.image_size, model.config.channels) for model in loaded}) > 1:
        raise UsageError("models of different sizes or colours cannot be compared on the same images")
    judges, digest = load_judges(find_features("judges", config.channels))
    source = open_source(data, config.image_size, config.channels, say=say).whole()
    return Setup(loaded, judges, digest, source, settings, cached_inception())


def default_model(source: str) -> str:
    """The shipped model that suits a folder of images or of task folders; of any other source, glyph."""
    folder = Path(source)
    if not folder.is_dir():
        return "glyph"
    first = min((place for place in folder.iterdir() if place.is_dir()), default=folder)
    try:
        look = read_folder(first, size=LOOK, channels=3, skip_bad=True, most=LOOKS)
    except InputError:  # which the evaluation itself will explain
        return "glyph"
    return choose_model(look.colourful).name


def ready_model(name: str, device: str = "auto") -> BaseModel:
    """A base model on the device that it is to run on. Raises CheckpointError."""
    model, chosen = load_model(find_model(name)), choose_device(device)
    model.nets.to(chosen)
    model.learner.to(chosen)
    return model


def _told_apart(models: Sequence[BaseModel]) -> tuple[BaseModel, ...]:
    """The models, those of one name with the beginning of their hashes beside it."""
    often = Counter(model.name for model in models)
    marked = [replace(m, metadata=m.metadata | {"name": f"{m.name} {m.hash[:6]}"}) for m in models]
    return tuple(mark if often[plain.name] > 1 else plain for plain, mark in zip(models, marked, strict=True))


@dataclass(frozen=True)
class Row:
    """One rival at one number of shots."""

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

    def relative_diversity(self, row: Row) -> float:
        """A row's diversity in units of that of held-out images of the same tasks at the same shots."""
        real = next(other for other in self.rows if other.name == REALS and other.shots == row.shots)
        return row.score.figures["diversity"].mean / float(real.score.values["diversity"][list(row.own)].double().mean())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without samples and times."""
        rows = [row.as_dict() | {"relative_diversity": round(self.relative_diversity(row), 6)} for row in self.rows]
        return {"source": self.source, "tasks": len(self.tasks), "judges": self.judges, "exemplar": self.exemplar, "rows": rows}


def usual_cache() -> SampleCache:
    """The cache in the user's folder."""
    return SampleCache(default_folder())


def check_report(path: Path, overwrite: bool) -> None:
    """Refuses a report's place before any work: UsageError for its name, OutputError for what stands there."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--report {path}: the ending must be .html")
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path}: {'is a folder' if path.is_dir() else f'there is no folder {path.parent}'}; name a file")
    if path.exists() and not overwrite and MARK.encode() not in path.read_bytes()[:4096]:
        raise OutputError(f"{path}: was not written by metagan; --overwrite replaces it")


def evaluate(setup: Setup, cache: SampleCache | None, report: Report) -> Evaluated:
    """Scores the models and their rivals on the same tasks, samples of each task kept in the cache until all is done.

    Raises InputError where the source holds too few tasks or images.
    """
    settings = setup.settings
    judges = setup.judges if settings.exemplar == "prototype" else None
    tasks = draw_tasks(setup.source, max(settings.shots), settings.tasks, settings.seed, judges)
    rows = []
    for shots in settings.shots:
        seen = [replace(task, support=task.support[:shots]) for task in tasks]
        ruler = ruler_of(setup, seen)
        rivals = [model_rival(model, model.name, settings.steps, settings.seed) for model in setup.models]
        for rival in (*rivals, *references(setup.models[0], settings.steps, settings.seed)):
            rows.append(score_row(setup, ruler, rival, seen, cache, report))
    if cache is not None:
        cache.clear()
    return Evaluated(setup.source.name, tuple(tasks), tuple(rows), setup.judges_hash, settings.exemplar)


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


def ruler_of(setup: Setup, tasks: Sequence[EvaluationTask]) -> Ruler:
    """What samples of these tasks are measured by."""
    supports, real = (torch.stack([getattr(task, name) for task in tasks]) for name in ("support", "truth"))
    return Ruler(setup.judges, supports, real, setup.inception)


def score_row(
    setup: Setup, ruler: Ruler, rival: Rival, tasks: Sequence[EvaluationTask], cache: SampleCache | None, report: Report
) -> Row:
    """Draws a rival's samples for each task, or for a few where it is slow, and scores them."""
    some = thinned(tasks, rival.most_tasks or len(tasks))
    count, start, drawn = setup.settings.samples, time.monotonic(), []
    for done, task in enumerate(some):
        key = _key(rival, task, count)
        samples = cache.get(key) if cache is not None and rival.key else None
        if samples is None:
            samples = ((rival.draw(task, tasks, count).clamp(-1, 1) + 1) * 127.5).round().byte()
            if cache is not None and rival.key:
                cache.put(key, samples)
        drawn.append(samples)
        report(f"{rival.name}, {len(task.support)} shots", done + 1, len(some))
    seconds = (time.monotonic() - start) / len(some)
    own, whole = tuple(task.number for task in some), torch.stack(drawn)
    images = whole.float() / 127.5 - 1
    score = ruler.measure(images, torch.tensor(own))
    pooled = ruler.pool(images) if rival.kind == "model" or rival.name == REALS else {}
    return Row(rival.name, rival.kind, len(some[0].support), own, seconds, score, pooled, whole)


def _key(rival: Rival, task: EvaluationTask, count: int) -> str:
    digest = hashlib.blake2b(f"{rival.name} {rival.key} {task.number} {count}".encode(), digest_size=16)
    digest.update(task.support.numpy().tobytes())
    return digest.hexdigest()
