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
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from metagan_cli.adversarial import unit
from metagan_cli.config import AdaptConfig, DataConfig, EvaluateConfig, ModelConfig, Recipe, TrainConfig
from metagan_cli.data.sources import open_source
from metagan_cli.data.tasks import TaskSource
from metagan_cli.evaluation.metrics import figure
from metagan_cli.evaluation.scores import Score
from metagan_cli.learners.base import InnerGame, Learner, inner_game
from metagan_cli.networks.bundle import Networks
from metagan_cli.rng import generator_for
from metagan_cli.sampling import Sampler
from metagan_cli.state import TaskState
from metagan_cli.store.models import BaseModel
from metagan_cli.workflows.evaluate import Setup, draw_tasks, ruler_of, set_up
from metagan_cli.workflows.meta_train import meta_train
from metagan_cli.workflows.rivals import EvaluationTask, scratch_rival

DEVELOPMENT = ("Balinese/", "Futurama/", "Grantha/", "N_Ko/", "Tifinagh/")
OMNIGLOT = "data/omniglot_105.npz"
SHOTS, STEPS, SAMPLES = 5, 5, 20
SCRATCH_STEPS, SCRATCH_TASKS = 50, 20
RATES = (0.003, 0.01, 0.03, 0.1)  # of Adam, tried on training tasks
WIDER = 200  # critic_tokens of the learners with few weights of their own: parameters come out equal

MODEL = ModelConfig(critic_tokens=WIDER)
TRAIN = TrainConfig(steps=1_000_000, shots=(SHOTS,), inner_steps=STEPS, inner_share=0.5, decay_from=1.0, every=200)
DATA = (DataConfig(OMNIGLOT, 4.0, exclude=DEVELOPMENT), DataConfig("doodles", 1.0))
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


class AdamFrom(Learner):
    """Another learner's first state, refined by Adam."""

    def __init__(self, learner: Learner, rate: float) -> None:
        super().__init__()
        self.learner, self.rate = learner, rate

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        return self.learner.begin(nets, support)

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        turn = game.play(nets, state, rng)
        moved, memory = [], []
        for i, (part, gradient) in enumerate(((state.code, turn.code), (state.gains, turn.gains), (state.judge, turn.judge))):
            first, second = state.memory[2 * i : 2 * i + 2] or (torch.zeros_like(part), torch.zeros_like(part))
            first, second = 0.9 * first + 0.1 * unit(gradient), 0.999 * second + 0.001 * unit(gradient).square()
            step_size = first / (1 - 0.9 ** (step + 1)) / ((second / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
            moved.append(part - self.rate * step_size)
            memory += [first, second]
        return state.moved(*moved).remembering(*memory)


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
        setup = set_up([str(path)], DataConfig(OMNIGLOT, only=DEVELOPMENT), EvaluateConfig(tasks=count))
        found[name] = entry(setup, draw_tasks(setup.source, SHOTS, count, 0))
        print(name, json.dumps(found[name]), flush=True)
    out.write_text(json.dumps(found, indent=1) + "\n")


def entry(setup: Setup, tasks: Sequence[EvaluationTask]) -> dict[str, object]:
    """One learner after its steps, and by how much it is below its rivals' kernel distance: mean and 95 % interval."""
    model, ruler = setup.models[0], ruler_of(setup, tasks)

    def measured(draw: Callable[[EvaluationTask], Tensor], some: Sequence[EvaluationTask] = tasks) -> Score:
        return ruler.measure(torch.stack([draw(task) for task in some]), torch.tensor([task.number for task in some]))

    rate = min(RATES, key=lambda rate: tuned(setup, rate))
    own = measured(lambda task: drawn(model, model.learner, task, STEPS))
    few = tasks[:: max(1, len(tasks) // SCRATCH_TASKS)][:SCRATCH_TASKS]
    scratch = scratch_rival(model, SCRATCH_STEPS, 0)
    rivals = {
        "first state": measured(lambda task: drawn(model, model.learner, task, 0)),
        f"Adam, rate {rate}": measured(lambda task: drawn(model, AdamFrom(model.learner, rate), task, STEPS)),
        f"from scratch, {SCRATCH_STEPS} steps": measured(lambda task: scratch.draw(task, tasks, SAMPLES), few),
    }
    mine = own.values["kernel"]
    result: dict[str, object] = {"step": model.metadata["step"], "parameters": parameters(model)}
    result |= {name: round(f.mean, 4) for name, f in own.figures.items()}
    for name, rival in rivals.items():
        numbers = torch.tensor([task.number for task in (few if len(rival.values["kernel"]) < len(tasks) else tasks)])
        difference = figure(mine[numbers] - rival.values["kernel"])
        result[f"below {name}"] = [round(x, 4) for x in (difference.mean, difference.low, difference.high)]
    return result


def tuned(setup: Setup, rate: float) -> float:
    """The mean kernel distance of Adam with this rate on a few training tasks."""
    source: TaskSource = open_source(DATA[0], setup.models[0].config.image_size, 1).train
    tasks = draw_tasks(source, SHOTS, 12, 0)
    model, ruler = setup.models[0], ruler_of(setup, tasks)
    samples = torch.stack([drawn(model, AdamFrom(model.learner, rate), task, STEPS) for task in tasks])
    return ruler.measure(samples, torch.arange(len(tasks))).figures["kernel"].mean


@torch.no_grad()
def drawn(model: BaseModel, learner: Learner, task: EvaluationTask, steps: int) -> Tensor:
    """Samples of one task after so many inner steps, every draft taken."""
    game, rng = inner_game(model.config, AdaptConfig.packs), generator_for(0, "contest", task.number)
    state = learner.adapt(model.nets, task.support[None], steps, game, rng)
    return Sampler(model.nets, state, drafts=1).draw(range(SAMPLES * task.number, SAMPLES * (task.number + 1)))


def parameters(model: BaseModel) -> int:
    """All weights that were meta-trained."""
    return sum(p.numel() for part in (model.nets, model.learner) for p in part.parameters())


if __name__ == "__main__":
    sys.exit(main())
