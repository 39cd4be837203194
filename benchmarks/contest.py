"""The contest of the learners: equal data, equal time, equal parameters (within 10 %), 32 px, five examples.

python -m benchmarks.contest train start             # the networks that all begin with, trained without inner steps
python -m benchmarks.contest train NAME              # one learner; begun runs go on
python -m benchmarks.contest measure scratch         # networks trained on each character's examples alone
python -m benchmarks.contest measure NAME            # one learner, on the development alphabets
python -m benchmarks.contest publish                 # all that was measured, as docs/contest.md and docs/contest.svg

The networks see no support image and paint on gray: all that is known of a character comes through inner steps.
Each is compared, task by task, with its own first state, with Adam from that state (its rate tuned on training tasks), and
with networks of that kind trained from scratch on the examples. `figr` is FIGR as published: Reptile over all weights, ten steps
of SGD, WGAN-GP.
Needs the Omniglot file of the training data.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.results import rewrite
from metagan_cli.config import AdaptConfig, DataConfig, EvaluateConfig, ModelConfig, Recipe, TrainConfig
from metagan_cli.data.sources.open import open_source
from metagan_cli.evaluation.metrics import figure
from metagan_cli.evaluation.scores import Ruler, Score
from metagan_cli.learners.base import adaptation_game
from metagan_cli.learners.steps import unit
from metagan_cli.rng import generator_for
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.store.models import BaseModel
from metagan_cli.workflows.evaluate.baselines import draw_adapted, scratch_method
from metagan_cli.workflows.evaluate.scoring import ruler_of
from metagan_cli.workflows.evaluate.setup import set_up
from metagan_cli.workflows.evaluate.tasks import EvaluationTask, draw_tasks
from metagan_cli.workflows.meta_train import meta_train
from recipes.held_out import ALPHABETS

OMNIGLOT = "data/omniglot_105.npz"
SHOTS, STEPS, SAMPLES = 5, 5, 40
TASKS = 90  # every other character of the development alphabets
CURVE = (0, 1, 2, 5)  # inner steps of the plot
SCRATCH_STEPS = 50
RATES, TUNING_TASKS = (0.01, 0.03, 0.1, 0.3, 1.0), 12  # of Adam, tried on training tasks

RUNS = Path("runs/contest")
FIGURES = Path("benchmarks/contest")  # what was measured, an entry a file
PAGE, PLOT = Path("docs/contest.md"), Path("docs/contest.svg")
BEGIN, END = "<!-- contest: made by benchmarks/contest.py -->\n", "<!-- end of contest -->\n"

Draw = Callable[[EvaluationTask], Tensor]
MODEL = ModelConfig(
    tokens=64,  # half the usual channels everywhere, so that more outer steps fit
    width=32,
    style=128,
    critic_tokens=96,
    learner_width=48,
    inner_energy=2.0,
    inner_perception=8.0,
    feed_forward=False,
)
# Outer steps that one core takes in about the same time, thirteen minutes
EQUAL = {"attention": 1200, "rnn": 1200, "maml": 860, "fomaml": 1200, "meta-sgd": 1200, "reptile": 340, "figr": 800}
TRAIN = TrainConfig(
    shots=(SHOTS,),
    tasks_per_batch=4,
    inner_steps=STEPS,
    inner_share=1.0,
    energy=0.5,
    perception=4.0,
    generator_rate=1.5e-4,
    decay_from=0.3,
    head_start=0,
    every=100,
)
TESTED = DataConfig(OMNIGLOT, only=ALPHABETS)
DATA = (DataConfig(OMNIGLOT, 4.0, exclude=ALPHABETS), DataConfig("doodles", 1.0))
REPTILE = replace(TRAIN, generator_rate=1e-5, critic_rate=1e-5)
FIGR = replace(TRAIN, inner_steps=10, tasks_per_batch=1, generator_rate=1e-4, critic_rate=1e-4)
START = Recipe(
    "start",
    MODEL,
    replace(TRAIN, steps=1200, tasks_per_batch=8, inner_steps=0, head_start=40, generator_rate=2e-4, decay_from=0.6),
    DATA,
)


def contender(name: str, train: TrainConfig = TRAIN, **model: Any) -> Recipe:
    """An entry's recipe: as many outer steps as it makes in the time of all."""
    return Recipe(name, replace(MODEL, **model), replace(train, steps=EQUAL[name]), DATA)


WGAN = {"inner_loss": "wasserstein", "inner_energy": 0.0, "inner_perception": 0.0}
ENTRIES = {
    recipe.name: recipe
    for recipe in (
        contender("attention"),
        contender("rnn", learner="rnn"),
        *(contender(name, learner="gradient", algorithm=name) for name in ("fomaml", "meta-sgd")),
        contender("maml", replace(TRAIN, first_order=0.7), learner="gradient", algorithm="maml"),
        contender("reptile", REPTILE, learner="gradient", algorithm="reptile"),
        contender("figr", FIGR, learner="gradient", algorithm="reptile", **WGAN),
    )
}


def main() -> None:
    """Trains or measures one entry, or publishes all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("train").add_argument("name", choices=["start", *ENTRIES])
    commands.add_parser("measure").add_argument("name", choices=["scratch", *ENTRIES])
    commands.add_parser("publish")
    options = parser.parse_args()
    if options.command == "train":
        learn(options.name)
    elif options.command == "measure":
        measure(options.name)
    else:
        publish({name: json.loads(found(name).read_text()) for name in ("scratch", *ENTRIES) if found(name).exists()})


def learn(name: str) -> None:
    """Trains the start, or an entry from it, or goes on with either."""
    folder, start = RUNS / name, None if name == "start" else str(RUNS / "start/model.safetensors")
    recipe = START if start is None else ENTRIES[name]
    meta_train(recipe, folder, resume=(folder / "config.toml").exists(), start_from=start, say=print)


def found(name: str) -> Path:
    """Where an entry's figures are kept."""
    return FIGURES / f"{name}.json"


def measure(name: str) -> None:
    """Writes an entry's figures, and its kernel distance on each character."""
    setup = set_up([str(RUNS / ("start" if name == "scratch" else name) / "model.safetensors")], TESTED, EvaluateConfig())
    model, tasks = setup.models[0], draw_tasks(setup.source, SHOTS, TASKS, 0)
    ruler = ruler_of(setup, tasks)
    if name == "scratch":
        method = scratch_method(model, SCRATCH_STEPS, 0)
        result = plain(measured(ruler, tasks, lambda task: method.draw(task, tasks, SAMPLES)))
    else:
        practice = draw_tasks(open_source(DATA[0], MODEL.image_size, MODEL.channels).train, SHOTS, TUNING_TASKS, 0)
        rate = tuned(model, ruler_of(setup, practice), practice)
        curve = {steps: measured(ruler, tasks, partial(drawn, model, steps)) for steps in CURVE}
        by_adam = measured(ruler, tasks, partial(drawn_by_adam, model, rate))
        result = plain(curve[STEPS]) | {"start": by_task(curve[0]), "adam": by_task(by_adam)}
        result |= {"curve": {steps: round(score.figures["kernel"].mean, 4) for steps, score in curve.items()}}
        result |= {"step": model.metadata["step"], "parameters": parameters(model), "adam_rate": rate}
    FIGURES.mkdir(exist_ok=True)
    found(name).write_text(json.dumps(result) + "\n")
    print(name, {key: value for key, value in result.items() if not isinstance(value, list)}, flush=True)


def plain(score: Score) -> dict[str, Any]:
    """A score's figures, and its kernel distance task by task."""
    return {name: round(f.mean, 4) for name, f in score.figures.items()} | {"tasks": by_task(score)}


def by_task(score: Score) -> list[float]:
    """A score's kernel distance on each task."""
    return [round(value, 5) for value in score.values["kernel"].tolist()]


def publish(results: dict[str, dict[str, Any]]) -> None:
    """Writes the table and the plot: each entry, and by how much it is below the kernel distance of what it is compared with."""
    scratch = results.pop("scratch")
    heads = ["learner", "outer steps", "parameters, M", "kernel distance"]
    heads += ["below its start", "below Adam", "below scratch", "told apart, %"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for name, own in sorted(results.items(), key=lambda item: item[1]["kernel"]):
        others = (own["start"], own["adam"], scratch["tasks"])
        gaps = [figure(torch.tensor(theirs) - torch.tensor(own["tasks"])) for theirs in others]
        cells = [name, f"{own['step']:,}", f"{own['parameters'] / 1e6:.2f}", f"{own['kernel']:.3f}"]
        cells += [f"{gap.mean:.3f} ({gap.low:.3f} to {gap.high:.3f})" for gap in gaps] + [f"{100 * own['neighbour']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    rewrite(PAGE, BEGIN, END, "\n".join(lines) + "\n")
    drawing = Figure(figsize=(6.4, 4), layout="constrained")
    axes = drawing.add_subplot(xlabel="inner steps", ylabel="kernel distance from held-out drawings", yscale="log")
    for name, own in results.items():
        axes.plot([int(steps) for steps in own["curve"]], list(own["curve"].values()), "o-", label=name)
    axes.axhline(scratch["kernel"], color="gray", ls=":", label=f"scratch, {SCRATCH_STEPS} steps")
    axes.yaxis.set_minor_formatter("{x:.1f}")
    axes.legend(ncols=2)
    drawing.savefig(PLOT, metadata={"Date": None})


def measured(ruler: Ruler, tasks: Sequence[EvaluationTask], draw: Draw) -> Score:
    """The figures of what is drawn for these tasks."""
    return ruler.measure(torch.stack([draw(task) for task in tasks]), torch.tensor([task.number for task in tasks]))


def tuned(model: BaseModel, ruler: Ruler, tasks: Sequence[EvaluationTask]) -> float:
    """The rate at which Adam comes nearest to held-out images on a few training tasks."""
    distance = {rate: measured(ruler, tasks, partial(drawn_by_adam, model, rate)).figures["kernel"].mean for rate in RATES}
    return min(RATES, key=distance.__getitem__)


def drawn(model: BaseModel, steps: int, task: EvaluationTask) -> Tensor:
    """Samples of one task after so many inner steps, every draft taken."""
    return draw_adapted(model, task.support, steps, generator_for(0, "contest", task.number), seeds(task), drafts=1)


def drawn_by_adam(model: BaseModel, rate: float, task: EvaluationTask) -> Tensor:
    """The same from the learner's first state, refined by Adam instead."""
    game = adaptation_game(model.config, model.learner, AdaptConfig.packs)
    rng = generator_for(0, "contest", task.number)
    with torch.no_grad():
        state = model.learner.begin(model.nets, task.support[None])
    parts = [part.detach().clone() for part in (state.code, state.modulation, state.critic_modulation)]
    adam = torch.optim.Adam(parts, rate)
    for _ in range(STEPS):
        turn = game.play(model.nets, state.moved(*parts), rng)
        for part, gradient in zip(parts, (turn.code, turn.modulation, turn.critic_modulation), strict=True):
            part.grad = unit(gradient)
        adam.step()
    return Sampler(model.nets, state.moved(*parts), drafts=1).draw(seeds(task))


def seeds(task: EvaluationTask) -> range:
    """Other seeds for every task."""
    return range(SAMPLES * task.number, SAMPLES * (task.number + 1))


def parameters(model: BaseModel) -> int:
    """All weights that were meta-trained."""
    return sum(p.numel() for part in (model.nets, model.learner) for p in part.parameters() if p.requires_grad)


if __name__ == "__main__":
    main()
