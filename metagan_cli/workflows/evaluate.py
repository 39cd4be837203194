"""evaluate: how good models are on tasks that they have not seen, beside rivals measured in the same run."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.data.folders import read_folder
from metagan_cli.data.sources import open_source
from metagan_cli.data.tasks import TaskSource
from metagan_cli.devices import choose_device
from metagan_cli.errors import InputError, OutputError, UsageError
from metagan_cli.evaluation.copies import distances, thresholds
from metagan_cli.evaluation.gain import Gain, augmentation_gain
from metagan_cli.evaluation.judges import Judges
from metagan_cli.evaluation.scores import Score, score
from metagan_cli.rng import generator_for
from metagan_cli.store.files import write_bytes
from metagan_cli.store.judges import load_judges
from metagan_cli.store.models import BaseModel, load_model
from metagan_cli.store.samples import SampleCache, default_folder
from metagan_cli.store.shipped import find_judges, find_model
from metagan_cli.workflows.rivals import REALS, EvaluationTask, Rival, model_rival, references, scratch_rival

HELD_OUT = (7, 6, 5, 4)  # real images of a task on either side of a comparison: the most that the tasks allow
MARK = "made by metagan evaluate"  # what a report of ours carries
GAIN_SHOTS, GAIN_TEST = (5, 10, 15), 5  # real images a class, and the fewest to test with (Hong et al. 2020)
LEFT_OUT = 10  # images of a single folder that are left out in turn
CURVE_TASKS, CURVE_STEPS, SCRATCH_STEPS = 10, (0, 1, 2, 4, 8, 16), (1, 4, 16, 64)

Report = Callable[[str, int, int], None]  # what is drawn, tasks done, tasks in all


@dataclass(frozen=True)
class EvaluateRequest:
    """What to measure."""

    models: tuple[str, ...]
    data: DataConfig
    settings: EvaluateConfig


@dataclass(frozen=True)
class Row:
    """One rival at one number of shots."""

    name: str
    kind: str
    shots: int
    tasks: int
    seconds: float  # of drawing, a task
    score: Score
    samples: Tensor  # uint8 [T, N, C, S, S]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the samples."""
        figures = {name: {k: round(v, 6) for k, v in asdict(f).items()} for name, f in self.score.figures.items()}
        plain = {"name": self.name, "kind": self.kind, "shots": self.shots, "tasks": self.tasks}
        return plain | {"figures": figures, "verdict": self.score.verdict}


@dataclass(frozen=True)
class Evaluated:
    """All rows, in the order of the table."""

    source: str
    tasks: tuple[EvaluationTask, ...]  # with the most shots
    rows: tuple[Row, ...]
    judges: str  # their hash
    seconds: float

    def relative_diversity(self, row: Row) -> float:
        """A row's diversity in units of that of held-out images at the same shots."""
        real = next(other for other in self.rows if other.name == REALS and other.shots == row.shots)
        return row.score.figures["diversity"].mean / real.score.figures["diversity"].mean

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without samples and times."""
        rows = [row.as_dict() | {"relative_diversity": round(self.relative_diversity(row), 6)} for row in self.rows]
        return {"source": self.source, "tasks": len(self.tasks), "judges": self.judges, "rows": rows}


def is_single_folder(source: str) -> bool:
    """Whether a source is one folder of images rather than one of task folders."""
    folder = Path(source)
    return folder.is_dir() and not any(place.is_dir() for place in folder.iterdir())


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


def write_report(path: Path, evaluated: Evaluated, curve: Sequence["CurvePoint"], gains: Sequence[Gain]) -> None:
    """Writes the page. Raises OutputError."""
    from metagan_cli.workflows.report import page  # drawing libraries: only where a page is wanted

    write_bytes(path, page(evaluated, curve, gains).encode())


def evaluate(request: EvaluateRequest, *, device: str = "auto", cache: SampleCache | None, report: Report) -> Evaluated:
    """Scores the models and their rivals on the same tasks, samples of each task kept in the cache until all is done.

    Raises CheckpointError for a model, InputError for the data, UsageError where the models do not go together.
    """
    start = time.monotonic()
    models = [_ready(name, device) for name in request.models]
    _check_alike(models)
    config = models[0].config
    judges, digest = load_judges(find_judges(config.channels))
    source = open_source(request.data, config.image_size, config.channels).whole()
    tasks = draw_tasks(source, max(request.settings.shots), request.settings.tasks, request.settings.seed)
    rows = []
    for shots in request.settings.shots:
        seen = [EvaluationTask(t.number, t.title, t.support[:shots], t.more, t.truth) for t in tasks]
        rivals = [model_rival(model, model.name, request.settings.steps, request.settings.seed) for model in models]
        for rival in (*rivals, *references(models[0], request.settings.steps, request.settings.seed)):
            rows.append(_row(rival, seen, request, judges, cache, report))
    if cache is not None:
        cache.clear()
    return Evaluated(source.name, tuple(tasks), tuple(rows), digest, time.monotonic() - start)


def draw_tasks(source: TaskSource, shots: int, most: int, seed: int) -> list[EvaluationTask]:
    """Evenly chosen tasks with `shots` support images and twice as many held-out ones as HELD_OUT allows.

    Raises InputError where fewer than two tasks hold enough.
    """
    held_out = next((n for n in HELD_OUT if source.tasks(shots + 2 * n) >= 2), None)
    if held_out is None:
        raise InputError(
            f"{source.name}: evaluation with {shots} shots needs two tasks of {shots + 2 * HELD_OUT[-1]} images or more"
        )
    each = shots + 2 * held_out
    count = source.tasks(each)
    drawn = []
    for place, number in enumerate(_spread(count, most)):
        images = source.draw(number, each, generator_for(seed, "evaluation", number)).float() / 127.5 - 1
        support, more, truth = images.split([shots, held_out, held_out])
        drawn.append(EvaluationTask(place, source.title(number, each), support, more, truth))
    return drawn


def _ready(name: str, device: str) -> BaseModel:
    """A base model on the device that it is to run on."""
    model, chosen = load_model(find_model(name)), choose_device(device)
    model.nets.to(chosen)
    model.learner.to(chosen)
    return model


def _check_alike(models: Sequence[BaseModel]) -> None:
    formats = {(model.config.image_size, model.config.channels) for model in models}
    if len(formats) > 1:
        raise UsageError("models of different sizes or colours cannot be compared on the same images")


def _row(
    rival: Rival, tasks: list[EvaluationTask], request: EvaluateRequest, judges: Judges, cache: SampleCache | None, report: Report
) -> Row:
    some = tasks[:: max(1, len(tasks) // rival.most_tasks)][: rival.most_tasks] if rival.most_tasks else tasks
    shots, start, drawn = len(tasks[0].support), time.monotonic(), []
    for done, task in enumerate(some):
        key = _key(rival, task, request.settings.samples)
        samples = cache.get(key) if cache is not None and rival.key else None
        if samples is None:
            samples = ((rival.draw(task, tasks, request.settings.samples).clamp(-1, 1) + 1) * 127.5).round().byte()
            if cache is not None and rival.key:
                cache.put(key, samples)
        drawn.append(samples)
        report(f"{rival.name}, {shots} shots", done + 1, len(some))
    seconds = (time.monotonic() - start) / len(some)
    support, truth = (torch.stack([getattr(task, name) for task in some]) for name in ("support", "truth"))
    whole = torch.stack(drawn)
    return Row(rival.name, rival.kind, shots, len(some), seconds, score(judges, support, whole.float() / 127.5 - 1, truth), whole)


def _key(rival: Rival, task: EvaluationTask, count: int) -> str:
    digest = hashlib.blake2b(f"{rival.name} {rival.key} {task.number} {count}".encode(), digest_size=16)
    digest.update(task.support.numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class CurvePoint:
    """Quality after some steps, at the most shots of an evaluation."""

    name: str
    kind: str
    steps: int
    seconds: float  # of adapting or training, and drawing, a task
    score: Score

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: round(f.mean, 6) for name, f in self.score.figures.items()}
        return {"name": self.name, "steps": self.steps, "seconds": round(self.seconds, 3), "figures": figures}


def learning_curve(evaluated: Evaluated, request: EvaluateRequest, *, device: str = "auto", report: Report) -> list[CurvePoint]:
    """Quality against steps and seconds: each model's inner steps, and its networks from scratch, on a few of the tasks."""
    judges, _ = load_judges(find_judges(evaluated.tasks[0].support.shape[1]))
    every = max(1, len(evaluated.tasks) // CURVE_TASKS)
    tasks = [replace(task, number=i) for i, task in enumerate(evaluated.tasks[::every][:CURVE_TASKS])]
    points = []
    for name in request.models:
        model = _ready(name, device)
        rivals = [(steps, model_rival(model, model.name, steps, request.settings.seed)) for steps in CURVE_STEPS]
        if name == request.models[0]:
            rivals += [(steps, scratch_rival(model, steps, request.settings.seed)) for steps in SCRATCH_STEPS]
        for steps, rival in rivals:
            row = _row(rival, tasks, request, judges, None, report)
            title = rival.name if rival.kind == "model" else "from scratch"
            points.append(CurvePoint(title, rival.kind, steps, row.seconds, row.score))
    return points


def augmentation_gains(request: EvaluateRequest, *, device: str = "auto", report: Report) -> list[Gain]:
    """What a classifier gains from the first model's images, for each of GAIN_SHOTS that the tasks have images for."""
    model = _ready(request.models[0], device)
    source = open_source(request.data, model.config.image_size, model.config.channels).whole()
    gains = []
    for shots in GAIN_SHOTS:
        count = source.tasks(shots + GAIN_TEST)
        if count < 2:
            continue
        rival, made, tasks = model_rival(model, model.name, request.settings.steps, request.settings.seed), [], []
        for done, number in enumerate(_spread(count, request.settings.tasks)):
            images = (
                source.draw(number, shots + GAIN_TEST, generator_for(request.settings.seed, "gain", number)).float() / 127.5 - 1
            )
            support, truth = images[:shots], images[shots:]
            task = EvaluationTask(done, source.title(number, shots + GAIN_TEST), support, truth, truth)
            tasks.append(task)
            made.append(rival.draw(task, tasks, request.settings.samples))
            report(f"augmentation gain, {shots} shots", done + 1, min(count, request.settings.tasks))
        real, test = (torch.stack([getattr(task, name) for task in tasks]) for name in ("support", "truth"))
        gains.append(augmentation_gain(real, torch.stack(made), test, request.settings.seed))
    return gains


@dataclass(frozen=True)
class LeftOut:
    """A folder judged by its own images, each left out once; distances from 0 (same) to 1 (nothing in common)."""

    images: int
    to_sample: float  # mean distance of the left-out image to the nearest sample made from the others
    to_example: float  # and to the nearest of those others themselves
    copies: float  # share of the samples that are copies of the others, in [0, 1]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {k: round(v, 4) for k, v in asdict(self).items()} | {"verdict": self.verdict}

    @property
    def verdict(self) -> str:
        """Whether the samples say more than the examples did."""
        if self.to_sample < self.to_example:
            return "samples come nearer to the left-out images than the other examples do: it generalises"
        return "samples come no nearer to the left-out images than the other examples do: it varies the examples"


def leave_one_out(folder: Path, request: EvaluateRequest, *, device: str = "auto", report: Report) -> LeftOut:
    """Adapts to all images of a folder but one, for up to LEFT_OUT of them. Raises InputError for fewer than three images."""
    model = _ready(request.models[0], device)
    images = read_folder(folder, size=model.config.image_size, channels=model.config.channels, deep=False).images
    if len(images) < 3:
        raise InputError(f"{folder}: {len(images)} images; leaving one out needs three")
    numbers = _spread(len(images), LEFT_OUT)
    rival, rows = model_rival(model, model.name, request.settings.steps, request.settings.seed), []
    for done, number in enumerate(numbers):
        support, left = torch.cat([images[:number], images[number + 1 :]])[:32], images[number : number + 1]
        samples = rival.draw(EvaluationTask(done, "", support, left, left), [], request.settings.samples)
        copied = (distances(samples, support) < thresholds(support)).any(1).float().mean()
        rows.append((float(distances(left, samples).min()), float(distances(left, support).min()), float(copied)))
        report("leaving one out", done + 1, len(numbers))
    means = torch.tensor(rows).mean(0).tolist()
    return LeftOut(len(images), *means)


def _spread(count: int, most: int) -> list[int]:
    """At most `most` numbers below `count`, evenly spread."""
    return list(range(count)) if count <= most else torch.linspace(0, count - 1, most).round().long().tolist()
