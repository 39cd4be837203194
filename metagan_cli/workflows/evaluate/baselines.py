"""Who draws in an evaluation: models, and the methods that they are compared with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from metagan_cli.config import AdaptConfig, ModelConfig, Recipe, TrainConfig
from metagan_cli.evaluation.references import JITTERS, jittered
from metagan_cli.learners.base import adaptation_game
from metagan_cli.objectives.thermostat import Thermostat
from metagan_cli.rng import generator_for
from metagan_cli.sampling.sampler import DRAFTS, Sampler
from metagan_cli.store.models import BaseModel
from metagan_cli.training.outer_loop import OuterLoop
from metagan_cli.workflows.evaluate.tasks import EvaluationTask

REALS, OTHERS = "held-out images", "another task's images"
SCRATCH_TASKS = 5  # training from scratch is slow: on so many tasks only


@dataclass(frozen=True)
class Method:
    """A row of the evaluation: draws `samples` images for a task, given all tasks."""

    name: str
    kind: str  # "model", "reference" or "scratch"
    key: str  # changes where its samples would
    draw: Callable[[EvaluationTask, Sequence[EvaluationTask], int], Tensor]
    most_tasks: int | None = None


def model_method(model: BaseModel, name: str, steps: int, seed: int) -> Method:
    """A base model, adapted to each task with `steps` inner steps."""
    draw = partial(_draw_adapted, model, steps, seed)
    return Method(name, "model", f"{model.hash} {steps} {seed}", draw)


def references(model: BaseModel, steps: int, seed: int) -> list[Method]:
    """Held-out images, jittered copies, another task's images, and the model's networks trained from scratch."""
    methods = [Method(REALS, "reference", "", lambda task, tasks, count: task.more)]
    for strength in JITTERS:
        draw = partial(_draw_jittered, strength, seed)
        methods.append(Method(f"copies, {strength} jitter", "reference", f"{strength} {seed}", draw))
    methods.append(Method(OTHERS, "reference", "", _of_another_task))
    once = max(1, steps)
    return [*methods, *(scratch_method(model, n, seed, SCRATCH_TASKS) for n in (once, 10 * once))]


def scratch_method(model: BaseModel, steps: int, seed: int, most_tasks: int | None = None) -> Method:
    """The model's networks, trained from random weights on each task's support images alone."""
    draw = partial(_draw_from_scratch, model.config, steps, seed)
    return Method(f"from scratch, {steps} steps", "scratch", f"{model.config} {steps} {seed}", draw, most_tasks)


def _draw_adapted(
    model: BaseModel, steps: int, seed: int, task: EvaluationTask, tasks: Sequence[EvaluationTask], count: int
) -> Tensor:
    rng, seeds = generator_for(seed, "evaluate", task.number), range(count * task.number, count * (task.number + 1))
    return draw_adapted(model, task.support, steps, rng, seeds)


@torch.no_grad()
def draw_adapted(
    model: BaseModel, support: Tensor, steps: int, rng: torch.Generator, seeds: Sequence[int], drafts: int = DRAFTS
) -> Tensor:
    """Samples of these seeds from a base model adapted to support [K, C, S, S] with `steps` inner steps."""
    game = adaptation_game(model.config, model.learner, AdaptConfig.packs)
    state = model.learner.adapt(model.nets, support[None].to(_device(model)), steps, game, rng)
    return Sampler(model.nets, state, drafts=drafts).draw(seeds)


def _of_another_task(task: EvaluationTask, tasks: Sequence[EvaluationTask], count: int) -> Tensor:
    """From the other end of the tasks: neighbours are often alike, as characters of one alphabet."""
    return tasks[(task.number + (len(tasks) + 1) // 2) % len(tasks)].more


def _draw_jittered(strength: str, seed: int, task: EvaluationTask, tasks: Sequence[EvaluationTask], count: int) -> Tensor:
    return jittered(task.support, count, strength, seed + task.number)


def _draw_from_scratch(
    config: ModelConfig, steps: int, seed: int, task: EvaluationTask, tasks: Sequence[EvaluationTask], count: int
) -> Tensor:
    scratch = Scratch(config, steps, seed, task)
    scratch.train(steps)
    return scratch.draw(count)


class Scratch:
    """Networks that learn from one task's support images alone, by the outer loop's own losses."""

    def __init__(self, config: ModelConfig, steps: int, seed: int, task: EvaluationTask) -> None:
        """Before the first of `steps` steps."""
        train = TrainConfig(
            steps=steps,
            seed=seed + task.number,
            shots=(1,),
            queries=4 * config.pack,
            tasks_per_batch=1,
            inner_steps=0,
            head_start=0,
            ema=0.0,
        )
        alone = replace(config, learner="attention", inner_perception=0.0)  # neither has a part without inner steps
        self.loop = OuterLoop(Recipe("scratch", alone, train), torch.device("cpu"), torch.float32)
        self.loop.thermostat = Thermostat(train.penalty, waits=False)  # every step is one of both players
        self.support, self.taken = task.support, 0

    def train(self, steps: int) -> None:
        """Goes on until so many steps are taken in all."""
        train = self.loop.recipe.train
        while self.taken < steps:
            rng = generator_for(train.seed, "scratch", self.taken)
            chosen = torch.randint(len(self.support), (train.queries,), generator=rng)
            self.loop.step(self.taken, self.support[None], self.support[chosen][None])
            self.taken += 1

    @torch.no_grad()
    def draw(self, count: int) -> Tensor:
        """Samples [count, C, S, S] of the networks as they are now."""
        nets, learner = self.loop.averaged()
        return Sampler(nets, learner.begin(nets, self.support[None]), drafts=1).draw(range(count))


def _device(model: BaseModel) -> torch.device:
    return next(model.nets.parameters()).device
