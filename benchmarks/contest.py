"""The contest of the learners: equal data, equal minutes, equal parameters (within 10 %), 32 px, five examples.

python benchmarks/contest.py train NAME --minutes 20     # one learner, alone on the machine; again to go on
python benchmarks/contest.py compare [--tasks 60]        # all that were trained, on the development alphabets

Each is compared, task by task, with its own first state, with Adam from that state (its rate tuned on training tasks), and
with the same networks trained from scratch on the examples. `figr` is FIGR as published: Reptile over all weights, ten steps
of SGD, WGAN-GP.
Needs the Omniglot file of the training data.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from development import ALPHABETS
from torch import Tensor

from metagan_cli.adversarial import unit
from metagan_cli.config import AdaptConfig, DataConfig, EvaluateConfig, ModelConfig, Recipe, TrainConfig
from metagan_cli.data.sources import open_source
from metagan_cli.evaluation.metrics import figure
from metagan_cli.evaluation.scores import Ruler, Score
from metagan_cli.learners.base import inner_game
from metagan_cli.rng import generator_for
from metagan_cli.sampling import Sampler
from metagan_cli.store.models import BaseModel
from metagan_cli.workflows.evaluate import Setup, draw_tasks, ruler_of, set_up, thinned
from metagan_cli.workflows.meta_train import meta_train
from metagan_cli.workflows.rivals import EvaluationTask, draw_adapted, scratch_rival

OMNIGLOT = "data/omniglot_105.npz"
SHOTS, STEPS, SAMPLES = 5, 5, 20
SCRATCH_STEPS, SCRATCH_TASKS = 50, 20
RATES, TUNING_TASKS = (0.003, 0.01, 0.03, 0.1), 12  # of Adam, tried on training tasks
WIDER = 200  # critic_tokens of the learners with few weights of their own: parameters come out equal

Draw = Callable[[EvaluationTask], Tensor]
MODEL = ModelConfig(critic_tokens=WIDER)
TRAIN = TrainConfig(steps=1_000_000, shots=(SHOTS,), inner_steps=STEPS, inner_share=0.5, decay_from=1.0, every=200)
DATA = (DataConfig(OMNIGLOT, 4.0, exclude=ALPHABETS), DataConfig("doodles", 1.0))
FIGR = replace(TRAIN, inner_steps=10, tasks_per_batch=1, generator_rate=1e-4, critic_rate=1e-4)
ENTRIES = {
    "attention": Recipe("attention", ModelConfig(), TRAIN, DATA),
    "rnn": Recipe("rnn", replace(MODEL, learner="rnn"), TRAIN, DATA),
    "maml": Recipe("maml", replace(MODEL, learner="gradient", algorithm="maml"), TRAIN, DATA),
    "fomaml": Recipe("fomaml", replace(MODEL, learner="gradient", algorithm="fomaml"), TRAIN, DATA),
    "meta-sgd": Recipe("meta-sgd", replace(MODEL, learner="gradient", algorithm="meta-sgd"), TRAIN, DATA),
    "reptile": Recipe("reptile", replace(MODEL, learner="gradient", algorithm="reptile"), TRAIN, DATA),
    "figr": Recipe(
        "figr",
        replace(MODEL, learner="gradient", algorithm="reptile", inner_loss="wasserstein", inner_energy=0.0),
        FIGR,
        DATA,
    ),
}


def main() -> None:
    """Trains one entry, or compares all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train")
    train.add_argument("name", choices=list(ENTRIES))
    train.add_argument("--minutes", type=float, default=20)
    compared = commands.add_parser("compare")
    compared.add_argument("--tasks", type=int, default=60)
    compared.add_argument("--out", type=Path, default=Path("runs/contest/contest.json"))
    options = parser.parse_args()
    if options.command == "train":
        folder = Path("runs/contest") / options.name
        meta_train(
            ENTRIES[options.name], folder, budget=60 * options.minutes, resume=(folder / "config.toml").exists(), say=print
        )
    else:
        compare(options.tasks, options.out)


def compare(count: int, out: Path) -> None:
    """Prints and writes each entry's kernel distances, and the differences that its inner steps make."""
    found = {}
    for name in ENTRIES:
        path = Path("runs/contest") / name / "model.safetensors"
        if not path.exists():
            continue
        setup = set_up([str(path)], DataConfig(OMNIGLOT, only=ALPHABETS), EvaluateConfig(tasks=count))
        found[name] = entry(setup, draw_tasks(setup.source, SHOTS, count, 0))
        print(name, json.dumps(found[name]), flush=True)
    out.write_text(json.dumps(found, indent=1) + "\n")


def entry(setup: Setup, tasks: Sequence[EvaluationTask]) -> dict[str, object]:
    """One learner after its steps, and by how much it is below its rivals' kernel distance: mean and 95 % interval."""
    model, ruler, rate = setup.models[0], ruler_of(setup, tasks), tuned(setup)
    own = measured(ruler, tasks, lambda task: drawn(model, task, STEPS))
    few, scratch = thinned(tasks, SCRATCH_TASKS), scratch_rival(model, SCRATCH_STEPS, 0)
    rivals: dict[str, tuple[Sequence[EvaluationTask], Draw]] = {
        "first state": (tasks, lambda task: drawn(model, task, 0)),
        f"Adam, rate {rate}": (tasks, lambda task: drawn_by_adam(model, task, rate)),
        f"from scratch, {SCRATCH_STEPS} steps": (few, lambda task: scratch.draw(task, tasks, SAMPLES)),
    }
    result: dict[str, object] = {"step": model.metadata["step"], "parameters": parameters(model)}
    result |= {name: round(f.mean, 4) for name, f in own.figures.items()}
    for name, (some, draw) in rivals.items():
        theirs = measured(ruler, some, draw).values["kernel"]
        difference = figure(own.values["kernel"][[task.number for task in some]] - theirs)
        result[f"below {name}"] = [round(x, 4) for x in (difference.mean, difference.low, difference.high)]
    return result


def measured(ruler: Ruler, tasks: Sequence[EvaluationTask], draw: Draw) -> Score:
    """The figures of what is drawn for these tasks."""
    return ruler.measure(torch.stack([draw(task) for task in tasks]), torch.tensor([task.number for task in tasks]))


def tuned(setup: Setup) -> float:
    """The rate at which Adam comes nearest to held-out images on a few training tasks."""
    model = setup.models[0]
    tasks = draw_tasks(open_source(DATA[0], model.config.image_size, 1).train, SHOTS, TUNING_TASKS, 0)
    ruler = ruler_of(setup, tasks)
    distance = {r: measured(ruler, tasks, lambda t, r=r: drawn_by_adam(model, t, r)).figures["kernel"].mean for r in RATES}
    return min(RATES, key=distance.__getitem__)


def drawn(model: BaseModel, task: EvaluationTask, steps: int) -> Tensor:
    """Samples of one task after so many inner steps, every draft taken."""
    return draw_adapted(model, task.support, steps, generator_for(0, "contest", task.number), seeds(task), drafts=1)


def drawn_by_adam(model: BaseModel, task: EvaluationTask, rate: float) -> Tensor:
    """The same from the learner's first state, refined by Adam instead."""
    game, rng = inner_game(model.config, AdaptConfig.packs), generator_for(0, "contest", task.number)
    with torch.no_grad():
        state = model.learner.begin(model.nets, task.support[None])
    parts = [part.detach().clone() for part in (state.code, state.gains, state.judge)]
    adam = torch.optim.Adam(parts, rate)
    for _ in range(STEPS):
        turn = game.play(model.nets, state.moved(*parts), rng)
        for part, gradient in zip(parts, (turn.code, turn.gains, turn.judge), strict=True):
            part.grad = unit(gradient)
        adam.step()
    return Sampler(model.nets, state.moved(*parts), drafts=1).draw(seeds(task))


def seeds(task: EvaluationTask) -> range:
    """Other seeds for every task."""
    return range(SAMPLES * task.number, SAMPLES * (task.number + 1))


def parameters(model: BaseModel) -> int:
    """All weights that were meta-trained."""
    return sum(p.numel() for part in (model.nets, model.learner) for p in part.parameters())


if __name__ == "__main__":
    main()
