"""Predicts what meta-training by a recipe takes: seconds a step, memory of a rank, hours.

python -m benchmarks.cost_model [--config pretrained/glyph.toml] [--device H200] [--ranks N] [--tasks N] [--whole N]
python -m benchmarks.cost_model --check    # beside the steps that benchmarks.training measured on this machine

`--tasks` are those of a step on all ranks together, `--whole` those of the whole training. What kernels do is noted while steps
of two tasks and of three are taken here; each further task adds as much again. A kernel takes as long as its arithmetic, its
memory or its starts, whichever is longest. The device's figures are options; of `here` they are those
that benchmarks.training recorded, of an H200 those of its data sheet, of which kernels are assumed to reach a share.
"""

import argparse
import math
from collections import Counter
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.counting import Kernel, kernels_of, saved_bytes_of
from benchmarks.loops import GLYPH, FixedLoop, episode_of, glyph_recipe, make_loop
from benchmarks.measuring import as_table, recorded
from benchmarks.training import ARITHMETIC, CALL, COPY, DRAWING, GROWTH, PACE, SURROUNDINGS, USUAL_INNER, USUAL_SHOTS
from metagan_cli.config import DataConfig, Recipe
from metagan_cli.learners.game import inner_game
from metagan_cli.store.recipes import read_recipe

FEW = 2, 3  # tasks of the steps that are counted
WORD = 4  # bytes of a weight, of its gradient and of each of an optimiser's states
HERE = "here"


@dataclass(frozen=True)
class Device:
    """What a machine can do."""

    flops: float  # of matrices and convolutions in training's precision, a second
    memory: float  # bytes read and written, a second
    call: float  # seconds of the smallest kernel
    network: float  # bytes that a rank sends a second
    latency: float  # seconds of a message
    drawn: float  # query images of episodes that the processes beside a rank draw a second


# NVIDIA's data sheet: 989 TFLOP/s in bf16 and 4.8 TB/s; of both half is assumed to be reached. A network of 400 Gb/s a GPU, as of
# NVIDIA's own systems. Start of a kernel, a message's latency and what six processes draw are usual figures, not measured ones.
DEVICES = {"H200": Device(0.5 * 989e12, 0.5 * 4.8e12, 5e-6, 50e9, 1e-5, 6 * 800)}


@dataclass(frozen=True)
class Counts:
    """What a step does and holds: with no task, and for each."""

    kernels: dict[str, tuple[Kernel, Kernel]]
    saved: tuple[int, int]  # bytes that graphs hold, likewise

    def of(self, tasks: int) -> dict[str, Kernel]:
        """What a step of so many tasks does."""
        return {name: none.plus(each, tasks) for name, (none, each) in self.kernels.items()}

    def flops(self, tasks: int) -> float:
        """Floating-point operations of a step."""
        return sum(kernel.flops for kernel in self.of(tasks).values())

    def calls(self, tasks: int) -> float:
        """Kernels that it starts."""
        return sum(kernel.calls for kernel in self.of(tasks).values())

    def activations(self, tasks: int) -> int:
        """Bytes that the graphs of a step hold for their backward passes."""
        return self.saved[0] + tasks * self.saved[1]

    def seconds(self, tasks: int, device: Device) -> float:
        """How long a step computes."""
        return sum(
            max(kernel.flops / device.flops, kernel.bytes / device.memory, kernel.calls * device.call)
            for kernel in self.of(tasks).values()
        )


def count(recipe: Recipe, shots: int, inner_steps: int, dtype: torch.dtype = torch.float32) -> Counts:
    """Counts of steps with so many shots and inner steps, from one of two tasks and one of three.

    Not from one of a single task, whose tensors of one row torch treats otherwise.
    """
    loop = make_loop(recipe, torch.device("cpu"), dtype, inner_steps=inner_steps)
    weights = [tensor for module in (loop.nets, loop.learner, loop.averages) for tensor in module.state_dict().values()]
    steps = [partial(loop.step, 1, *episode_of(recipe, shots, tasks).images) for tasks in FEW]
    steps[0]()  # makes the optimisers' states
    two, three = (kernels_of(step) for step in steps)
    held, more = (saved_bytes_of(step, weights) for step in steps)
    kernels = {}
    for name in two | three:
        each = three.get(name, Kernel()).plus(two.get(name, Kernel()), -1)
        kernels[name] = two.get(name, Kernel()).plus(each, -FEW[0]), each
    return Counts(kernels, (held - FEW[0] * (more - held), more - held))


@dataclass(frozen=True)
class Weights:
    """Bytes of what a rank holds however many tasks it has."""

    networks: int  # with the perceptual net that the inner game listens to
    averages: int
    optimisers: int
    gradients: int

    @property
    def whole(self) -> int:
        """All of them."""
        return sum(getattr(self, f.name) for f in fields(self))


def weights_of(loop: FixedLoop) -> Weights:
    """What an outer loop holds; optimisers hold two moments of each learned weight, and a count for each tensor."""
    learned = [p for part in (loop.generating(), loop.nets.discriminator) for p in part.parameters() if p.requires_grad]
    size = sum(p.numel() for p in learned) * WORD
    return Weights(_bytes(loop.nets) + _bytes(loop.learner), _bytes(loop.averages), 2 * size + WORD * len(learned), size)


def _bytes(module: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())


@dataclass(frozen=True)
class Case:
    """Steps of one kind, and how many of all are."""

    counts: Counts
    share: float


def cases_of(recipe: Recipe, dtype: torch.dtype) -> list[Case]:
    """The kinds of steps that a recipe takes: by shots, without inner steps and with each number of them."""
    train, game, found = recipe.train, inner_game(recipe.model), []
    for shots, often in Counter(train.shots).items():
        share = often / len(train.shots)
        needed = not make_loop(recipe, torch.device("cpu"), dtype).learner.feed_forward
        deep = share * (1.0 if needed else train.inner_share) if game.allowed(train.inner_steps, shots) else 0.0
        found.append(Case(count(recipe, shots, 0, dtype), share - deep))
        for steps in range(1, train.inner_steps + 1) if deep else ():
            found.append(Case(count(recipe, shots, steps, dtype), deep / train.inner_steps))
    return [case for case in found if case.share]


@dataclass(frozen=True)
class Prediction:
    """What training takes."""

    weights: Weights
    activations: int  # bytes, in the step that holds the most
    flops: float  # of a step on one rank, on the mean
    computing: float  # seconds a step
    exchange: float  # seconds a step in which ranks add their gradients
    drawing: float  # seconds a step that drawing episodes takes, beside the others
    kernels: int

    @property
    def seconds(self) -> float:
        """Of a step: episodes are drawn meanwhile."""
        return max(self.computing + self.exchange, self.drawing)


def predict(recipe: Recipe, cases: list[Case], device: Device, ranks: int, tasks: int) -> Prediction:
    """What steps of so many tasks on so many ranks take; ranks share the tasks out, the fullest decides."""
    own = math.ceil(tasks / ranks)
    weights = weights_of(make_loop(recipe, torch.device("cpu"), torch.float32))
    return Prediction(
        weights,
        max(case.counts.activations(own) for case in cases),
        sum(case.share * case.counts.flops(own) for case in cases),
        sum(case.share * case.counts.seconds(own, device) for case in cases),
        exchange_seconds(weights.gradients, ranks, device),
        own * recipe.train.queries / device.drawn,
        round(sum(case.share * case.counts.calls(own) for case in cases)),
    )


def exchange_seconds(size: float, ranks: int, device: Device) -> float:
    """Two sums over all ranks, of the critic's gradients and of the others, of so many bytes together.

    Each rank sends nearly twice its gradients; a sum takes as many messages as a tree has levels, up and down.
    """
    return 2 * size * (ranks - 1) / ranks / device.network + 2 * 2 * math.ceil(math.log2(ranks)) * device.latency


def table(recipe: Recipe, found: Prediction, ranks: int, tasks: int, whole: int) -> list[dict[str, Any]]:
    """The prediction in words."""
    steps = math.ceil(whole / tasks)
    giga = {
        "weights and averages": found.weights.networks + found.weights.averages,
        "gradients and optimisers": found.weights.gradients + found.weights.optimisers,
        "activations, at most": found.activations,
        "memory of a rank": found.weights.whole + found.activations,
    }
    times = {"computing": found.computing, "adding gradients": found.exchange, "drawing episodes meanwhile": found.drawing}
    return [
        {"what": "GFLOP of a step, each rank", "figure": found.flops / 1e9},
        {"what": "kernels of a step", "figure": found.kernels},
        *({"what": f"{name}, GB", "figure": size / 1e9} for name, size in giga.items()),
        *({"what": f"{name}, ms a step", "figure": 1000 * took} for name, took in times.items()),
        {"what": "**seconds a step**", "figure": found.seconds},
        {"what": "query images a second, all ranks", "figure": tasks * recipe.train.queries / found.seconds},
        {"what": f"hours for {whole:,} tasks ({steps:,} steps)", "figure": steps * found.seconds / 3600},
    ]


def this_device() -> Device:
    """What benchmarks.training recorded of this machine. Raises SystemExit where it recorded nothing."""
    if (record := recorded().get("training")) is None:
        raise SystemExit("nothing is recorded: python -m benchmarks.training first, or name a --device")
    around = {row["what"]: row["value"] for row in record.tables[SURROUNDINGS]}
    step, *large = record.tables[ARITHMETIC]
    precision = step["what"].rpartition(" ")[2]
    rate = next(row["GFLOP/s"] for row in large if row["what"].endswith(f"convolution, {precision}"))
    drawn = next(row["images a second"] for row in record.tables[PACE] if row["how"] == DRAWING)
    return Device(rate * 1e9, around[COPY] * 1e9, around[CALL] * 1e-6, math.inf, 0.0, drawn)


def check() -> list[dict[str, Any]]:
    """The measured steps of the table of growth beside what is predicted of them."""
    device, record = this_device(), recorded()["training"]
    half = record.tables[ARITHMETIC][0]["what"].endswith("bf16")
    usual, rows = glyph_recipe(), []
    for row in record.tables[GROWTH]:
        factor, value = row["factor"], row["value"]
        side = value if factor == "pixels a side" else usual.model.image_size
        recipe = replace(usual, model=replace(usual.model, image_size=side))
        shots, steps = (
            value if factor == name else other for name, other in (("shots", USUAL_SHOTS), ("inner steps", USUAL_INNER))
        )
        counts = count(recipe, shots, steps, torch.bfloat16 if half else torch.float32)
        tasks = value if factor == "tasks" else usual.train.tasks_per_batch
        predicted = 1000 * counts.seconds(tasks, device)
        rows.append(
            {"factor": factor, "value": value, "measured, ms": row["ms a step"], "predicted, ms": predicted}
            | {"predicted / measured": predicted / row["ms a step"], "GFLOP, measured": row["GFLOP"]}
            | {"GFLOP, predicted": counts.flops(tasks) / 1e9}
        )
    return rows


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--config", type=Path, default=GLYPH, help="a recipe; glyph's unless given")
    parser.add_argument("--device", choices=[HERE, *DEVICES], default=HERE)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--tasks", type=int, help="a step, on all ranks; the recipe's unless given")
    parser.add_argument("--whole", type=int, help="in all; those of the recipe's steps unless given")
    for field in fields(Device):
        parser.add_argument(f"--{field.name}", type=float, help="of the device, instead of its own figure")
    parser.add_argument("--check", action="store_true", help="beside what was measured on this machine")
    options = parser.parse_args()
    if options.check:
        print(as_table(check()))
        return
    recipe = replace(read_recipe(options.config), data=(DataConfig("doodles"),))
    own = {f.name: getattr(options, f.name) for f in fields(Device) if getattr(options, f.name) is not None}
    device = replace(this_device() if options.device == HERE else DEVICES[options.device], **own)
    tasks = options.tasks or recipe.train.tasks_per_batch
    whole = options.whole or recipe.train.steps * recipe.train.tasks_per_batch
    found = predict(recipe, cases_of(recipe, torch.bfloat16), device, options.ranks, tasks)
    print(as_table(table(recipe, found, options.ranks, tasks, whole)))


if __name__ == "__main__":
    main()
