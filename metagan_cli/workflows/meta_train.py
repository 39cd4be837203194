"""meta-train: the outer loop over many tasks, with its checkpoints, previews and stats."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metagan_cli.config import Recipe
from metagan_cli.devices import choose_device, drawing_processes
from metagan_cli.errors import MetaganError, OutputError, UsageError
from metagan_cli.images.sheets import picture
from metagan_cli.ranks import ALONE, Ranks
from metagan_cli.store.locks import locked
from metagan_cli.store.models import save_model
from metagan_cli.store.pictures import write_png
from metagan_cli.store.runs import RunFolder
from metagan_cli.store.tensors import TensorFile
from metagan_cli.training.outer_loop import StepStats
from metagan_cli.workflows.training import Training, prepare

DEAD_SPREAD, DEAD_MARGIN, DEAD_AFTER = 0.01, 0.01, 200  # a critic below both, for this many steps


@dataclass(frozen=True)
class Progress:
    """What the console shows while the outer loop runs."""

    stats: StepStats
    steps: int
    images_per_second: float
    margin: float  # the critic's, averaged over the last steps
    spread: float
    warning: str


@dataclass(frozen=True)
class TrainResult:
    """How a run ended."""

    folder: Path
    step: int
    steps: int
    seconds: float
    finished: bool


def meta_train(
    recipe: Recipe,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    budget: float | None = None,
    start_from: str | None = None,
    tensorboard: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda line: None,
    stopped: Callable[[], bool] = lambda: False,
    ranks: Ranks = ALONE,
) -> TrainResult:
    """Meta-trains in a run folder for the recipe's steps, or until the budget (seconds) or `stopped` ends it.

    Of several `ranks` the first one decides, says and writes; started again they go on from the last checkpoint.

    Raises OutputError where the folder holds a run and neither `resume` nor `overwrite` is set, UsageError where it
    began with another recipe, InputError for its data, MetaganError where the loss stops being a number (the last
    checkpoint stands).
    """
    recipe = ranks.of_first(recipe)
    ranks.part(recipe.train.tasks_per_batch)  # or there is nothing for this one to do
    chosen, run = choose_device(ranks.device_name(device)), RunFolder(folder, recipe.train.keep)
    state: TensorFile | None = None
    if not ranks.first:
        training = prepare(recipe, chosen, ranks.of_first(state), start_from, lambda line: None, ranks)
        return _run(Saver(run, recipe, training, writes=False), None, stopped, lambda progress: None, ranks)
    resume = _checked(run, resume, overwrite, ranks)
    with locked(folder):
        if resume:
            run.check_same(recipe)
            state = _newest_state(run, say)
        make_events = _events_writer() if tensorboard else None
        training = prepare(recipe, chosen, ranks.of_first(state), start_from, say, ranks)
        if not resume:  # nothing that it may begin with is missing
            run.clear()
        saver = Saver(run, recipe, training, make_events(str(folder)) if make_events else None)
        run.make()
        if state is None and start_from is not None:  # which whoever resumes need not say again
            saver.save_state(0, 0.0)
        run.begin(recipe)
        if resume:  # a run that was killed before its first checkpoint has stats all the same
            run.cut_stats(training.step)
        if state is not None:
            say(f"going on after step {training.step}")
        beside = f" in {ranks.count} processes" if ranks.count > 1 else ""
        say(f"{chosen.type} {training.loop.precision}{beside}, {training.about}")
        return _run(saver, budget, stopped, report, ranks)


def _checked(run: RunFolder, resume: bool, overwrite: bool, ranks: Ranks) -> bool:
    """Whether the run goes on, as it is asked to or as all ranks were started again. Raises OutputError, UsageError."""
    if overwrite and ranks.restarts:
        raise UsageError(f"--overwrite: a restart could not tell the old run from the new one; remove {run.path} instead")
    resume = resume or (ranks.starts > 0 and run.started)
    if run.started and not (resume or overwrite):
        raise OutputError(f"{run.path}: holds a run already; --resume goes on with it, --overwrite begins anew")
    if resume and not run.started:
        raise UsageError(f"{run.path}: holds no run to resume")
    if run.path.exists() and not run.path.is_dir():
        raise OutputError(f"{run.path}: is a file, not a folder for a run")
    return resume


def _newest_state(run: RunFolder, say: Callable[[str], None]) -> TensorFile | None:
    state, complaints = run.load_state()
    for complaint in complaints:
        say(complaint)
    return state


def _run(
    saver: "Saver",
    budget: float | None,
    stopped: Callable[[], bool],
    report: Callable[[Progress], None],
    ranks: Ranks,
) -> TrainResult:
    train, loop, step, before = saver.recipe.train, saver.training.loop, saver.training.step, saver.training.seconds
    start, pace, watch, first = time.monotonic(), Pace(train.tasks_per_batch * train.queries), DeadCritic(), step
    drawn = saver.training.episodes.stream(step, train.steps, drawing_processes(loop.device, ranks.beside), loop.tasks)
    for episode in drawn:
        if ranks.any(stopped() or (budget is not None and time.monotonic() - start >= budget)):
            break
        stats = loop.step(step, *episode.images)
        if not math.isfinite(stats.critic_loss + (stats.generator_loss or 0.0)):
            raise MetaganError(
                f"the loss is no longer a number at step {step}; the last checkpoint in {saver.run.path} stands, try lower rates"
            )
        step += 1
        saver.pending.append(stats.as_dict())
        report(pace.progress(stats, train.steps, watch.warning(stats)))
        if step % train.every == 0:
            saver.save(step, before + time.monotonic() - start)
    seconds = before + time.monotonic() - start
    if saver.pending or step == first:
        saver.save(step, seconds)
    ranks.any(False)  # whoever ended before the first has written might be taken for one that failed
    return TrainResult(saver.run.path, step, train.steps, seconds, step >= train.steps)


@dataclass
class Saver:
    """Writes what a run leaves behind: stats, the newest model, a preview, and the state to resume from."""

    run: RunFolder
    recipe: Recipe
    training: Training
    events: Any = None  # a tensorboard writer, or nothing
    writes: bool = True  # or another process does
    pending: list[dict[str, Any]] = field(default_factory=list)

    def save(self, step: int, seconds: float) -> None:
        """All of it, after `step` steps and as many seconds of training."""
        stats, self.pending = self.pending, []
        if not self.writes:
            return
        self.run.add_stats(stats)
        self._add_events(stats)
        nets, learner = self.training.loop.averaged()
        metadata = {
            "name": self.recipe.name,
            "step": step,
            "seconds": round(seconds),
            "seed": self.recipe.train.seed,
        } | self.training.known
        save_model(self.run.model, self.recipe.model, nets, learner, metadata)
        sheet = self.training.preview.draw(nets, learner)
        if sheet is not None:
            write_png(self.run.previews / f"{step:08d}.png", picture(sheet), {"kind": "preview", "step": step})
        self.save_state(step, seconds)

    def save_state(self, step: int, seconds: float) -> None:
        """What the run is resumed from after `step` steps."""
        figures = self.training.loop.figures() | {"seconds": seconds, "known": self.training.known}
        self.run.save_state(step, self.training.loop.tensors(), figures)

    def _add_events(self, stats: list[dict[str, Any]]) -> None:
        for line in stats if self.events is not None else []:
            for name in ("critic_loss", "generator_loss", "energy", "told", "margin", "spread", "penalty"):
                if line[name] is not None:
                    self.events.add_scalar(name, line[name], line["step"])


def _events_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("--tensorboard: pip install tensorboard first") from error
    return SummaryWriter


class Pace:
    """Speed, and the critic's figures, from the last steps."""

    def __init__(self, images: int, window: int = 20) -> None:
        self.images, self.window = images, window
        self.times = [time.monotonic()]
        self.recent: list[StepStats] = []

    def progress(self, stats: StepStats, steps: int, warning: str) -> Progress:
        """The console's line for a step that has just ended."""
        self.times = [*self.times[-self.window :], time.monotonic()]
        self.recent = [*self.recent[1 - self.window :], stats]
        each = (self.times[-1] - self.times[0]) / (len(self.times) - 1)
        margin, spread = (sum(getattr(s, name) for s in self.recent) / len(self.recent) for name in ("margin", "spread"))
        return Progress(stats, steps, self.images / max(each, 1e-9), margin, spread, warning)


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
