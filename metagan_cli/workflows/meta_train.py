"""meta-train: the outer loop over many tasks, with its checkpoints, previews and stats."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from metagan_cli.config import Recipe
from metagan_cli.data.episodes import Episodes
from metagan_cli.data.sources import open_source
from metagan_cli.data.tasks import TaskSource
from metagan_cli.devices import choose_device, choose_precision
from metagan_cli.errors import ExitCode, MetaganError, OutputError, UsageError
from metagan_cli.outer import OuterLoop, StepStats
from metagan_cli.signals import Interrupts
from metagan_cli.store.models import load_model, save_model
from metagan_cli.store.runs import RunFolder
from metagan_cli.workflows.preview import Preview

DEAD_SPREAD, DEAD_MARGIN, DEAD_AFTER = 0.01, 0.01, 200  # a critic below both, for this many steps


@dataclass(frozen=True)
class Progress:
    """What the console shows while the outer loop runs."""

    stats: StepStats
    steps: int
    images_per_second: float
    seconds_left: float | None
    warning: str = ""


@dataclass(frozen=True)
class TrainResult:
    """How a run ended."""

    folder: Path
    step: int
    steps: int
    seconds: float
    finished: bool
    code: ExitCode


def meta_train(
    recipe: Recipe,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    budget: float | None = None,
    start_from: Path | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda line: None,
) -> TrainResult:
    """Meta-trains in a run folder for the recipe's steps, or until the budget (seconds) or a signal ends it.

    Raises OutputError where the folder holds a run and `resume` is not set, UsageError where it began with another
    recipe, InputError for its data, MetaganError where the loss stops being a number (the last checkpoint stands).
    """
    run = RunFolder(folder, recipe.train.keep)
    if run.started and not resume:
        raise OutputError(f"{folder}: holds a run already; go on with --resume, or name another folder")
    chosen = choose_device(device)
    dtype = choose_precision(recipe.train.precision, chosen)
    with run.locked(), Interrupts() as interrupts:
        if run.started:
            run.check_same(recipe)
        splits = [open_source(source, recipe.model.image_size, recipe.model.channels) for source in recipe.data]
        weights = [source.weight for source in recipe.data]
        episodes = Episodes([split.train for split in splits], weights, recipe.train)
        loop, step, before = _begin(run, recipe, chosen, dtype, resume, start_from, say)
        run.create(recipe)
        preview = Preview([split.held_out for split in splits], recipe, run.previews)
        say(f"{chosen.type} {str(dtype).removeprefix('torch.')}, {_describe([split.train for split in splits])}")
        return _run(run, recipe, loop, episodes, preview, step, before, budget, interrupts, report)


def _begin(
    run: RunFolder,
    recipe: Recipe,
    device: torch.device,
    dtype: torch.dtype,
    resume: bool,
    start_from: Path | None,
    say: Callable[[str], None],
) -> tuple[OuterLoop, int, float]:
    """The outer loop, the step that comes next, and the seconds spent before."""
    loop = OuterLoop(recipe, device, dtype)
    if resume:
        state, complaints = run.load_state()
        for complaint in complaints:
            say(complaint)
        if state is not None:
            loop.load(state.tensors, state.metadata)
            step = int(state.metadata["step"])
            run.cut_stats(step)
            say(f"going on after step {step}")
            return loop, step, float(state.metadata["seconds"])
    if start_from is not None:
        model = load_model(start_from)
        if model.config != recipe.model:
            raise UsageError(f"--from {start_from}: has another architecture than this run")
        loop.begin_from(model.nets, model.learner)
    return loop, 0, 0.0


def _run(
    run: RunFolder,
    recipe: Recipe,
    loop: OuterLoop,
    episodes: Episodes,
    preview: Preview,
    step: int,
    before: float,
    budget: float | None,
    interrupts: Interrupts,
    report: Callable[[Progress], None],
) -> TrainResult:
    train = recipe.train
    start, pace, pending, first = time.monotonic(), Pace(train.tasks_per_batch * train.queries), [], step
    watch = DeadCritic()
    while step < train.steps and interrupts.received is None and (budget is None or time.monotonic() - start < budget):
        stats = loop.step(step, episodes.draw(step))
        if not math.isfinite(stats.critic_loss + stats.generator_loss):
            raise MetaganError(f"the loss became {stats.critic_loss} at step {step}; the last checkpoint in {run.path} stands, try a lower rate")
        step += 1
        pending.append(stats.as_dict())
        report(pace.progress(stats, step, train.steps, watch.warning(stats)))
        if step % train.every == 0:
            _save(run, recipe, loop, preview, step, before + time.monotonic() - start, pending)
            pending = []
    seconds = before + time.monotonic() - start
    if step > first and (pending or not run.model.exists()):
        _save(run, recipe, loop, preview, step, seconds, pending)
    return TrainResult(run.path, step, train.steps, seconds, step >= train.steps, interrupts.exit_code)


def _save(
    run: RunFolder, recipe: Recipe, loop: OuterLoop, preview: Preview, step: int, seconds: float, stats: list[dict[str, Any]]
) -> None:
    run.add_stats(stats)
    nets, learner = loop.averaged()
    metadata = {
        "name": recipe.name,
        "step": step,
        "seconds": round(seconds),
        "seed": recipe.train.seed,
        "shots": list(recipe.train.shots),
        "data": [{"name": Path(d.source).stem, "licence": d.licence} for d in recipe.data],
    }
    save_model(run.model, recipe.model, nets, learner, metadata)
    preview.write(nets, learner, step)
    run.save_state(step, loop.tensors(), loop.figures() | {"seconds": seconds})


def _describe(sources: Sequence[TaskSource]) -> str:
    return ", ".join(f"{source.name} ({source.tasks(2)} tasks)" for source in sources)


class Pace:
    """Images a second and the time that is left, from the last steps."""

    def __init__(self, images: int, window: int = 20) -> None:
        self.images, self.times, self.window = images, [time.monotonic()], window

    def progress(self, stats: StepStats, step: int, steps: int, warning: str) -> Progress:
        """The console's line for a step that has just ended."""
        self.times = [*self.times[-self.window :], time.monotonic()]
        each = (self.times[-1] - self.times[0]) / (len(self.times) - 1)
        return Progress(stats, steps, self.images / max(each, 1e-9), each * (steps - step), warning)


class DeadCritic:
    """Sees a critic that no longer tells anything from anything."""

    def __init__(self) -> None:
        self.steps = 0

    def warning(self, stats: StepStats) -> str:
        """A warning every `DEAD_AFTER` steps of a dead critic, else nothing."""
        dead = stats.spread < DEAD_SPREAD and abs(stats.margin) < DEAD_MARGIN
        self.steps = self.steps + 1 if dead else 0
        if self.steps and self.steps % DEAD_AFTER == 0:
            return "the critic is dead (margin and spread near zero): samples will not get better; lower the generator's rate"
        return ""
