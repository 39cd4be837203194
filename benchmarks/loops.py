"""Outer loops as benchmarks need them: with what is drawn by chance fixed, and as the examples of others have them."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from metagan_cli.config import DataConfig, Recipe
from metagan_cli.data.episodes import Episode, Episodes
from metagan_cli.data.sources.doodles import doodle_tasks
from metagan_cli.ranks import ALONE
from metagan_cli.store.features import load_perceptual_net
from metagan_cli.store.recipes import read_recipe
from metagan_cli.store.shipped import find_features
from metagan_cli.training import outer_loop
from metagan_cli.training.outer_loop import OuterLoop, StepStats
from metagan_cli.training.upkeep import average

GLYPH = Path(__file__).resolve().parents[1] / "pretrained" / "glyph.toml"
SMALL: dict[str, Any] = {"image_size": 32, "latent": 8, "fine": 8, "width": 32, "tokens": 32, "style": 32, "critic_tokens": 32}


class FixedLoop(OuterLoop):
    """An outer loop whose steps take as many inner steps as it is told, and whose generator never waits."""

    inner_steps = 0

    def step(self, number: int, support: Tensor, query: Tensor) -> StepStats:
        """Outer step `number`, like `OuterLoop.step`, of as many tasks as there are."""
        self.part = ALONE.part(len(support))
        self.game = replace(self.game, part=self.part)
        return super().step(number, support, query)

    def _inner_steps(self, shots: int, rng: torch.Generator) -> int:
        return self.game.allowed(self.inner_steps, shots)


class OneByOne(FixedLoop):
    """The same networks task after task: gradients are summed, and one update is made, as examples of MAML and FIGR do."""

    def step(self, number: int, support: Tensor, query: Tensor) -> StepStats:
        """Outer step `number`, like `OuterLoop.step`; returns the figures of the last task."""
        adams = self.generator_adam, self.critic_adam
        for adam in adams:
            adam.zero_grad(set_to_none=True)
        with contextlib.ExitStack() as stack:
            for adam in adams:  # the updates of single tasks wait for that of all
                for name in ("zero_grad", "step"):
                    stack.enter_context(mock.patch.object(adam, name))
            stack.enter_context(mock.patch.object(outer_loop, "average"))
            for one in range(len(support)):
                stats = super().step(number, support[one : one + 1], query[one : one + 1])
        for adam in adams:
            for parameter in (p for group in adam.param_groups for p in group["params"] if p.grad is not None):
                parameter.grad.div_(len(support))
            adam.step()
        average(self.averages, self.generating(), self.updates, self.recipe.train.ema)
        return stats


def glyph_recipe(small: bool = False, **train: Any) -> Recipe:
    """How glyph is trained, on drawn doodles, which need no file; `small` for trying a benchmark."""
    recipe = read_recipe(GLYPH)
    model = replace(recipe.model, **SMALL) if small else recipe.model
    settings = replace(recipe.train, **({"tasks_per_batch": 2, "queries": 4} if small else {}) | {"head_start": 0} | train)
    return replace(recipe, model=model, train=settings, data=(DataConfig("doodles"),))


def make_loop(
    recipe: Recipe, device: torch.device, dtype: torch.dtype, kind: type[FixedLoop] = FixedLoop, inner_steps: int = 0
) -> FixedLoop:
    """A loop with the perceptual net where the recipe listens to it, whose generator learns from the first step on."""
    listens = recipe.train.perception or recipe.model.inner_perception
    net = load_perceptual_net(find_features("perceiver", recipe.model.channels))[0] if listens else None
    loop = kind(recipe, device, dtype, net)
    loop.inner_steps = inner_steps
    loop.thermostat.waits = False
    return loop


def episode_of(recipe: Recipe, shots: int, tasks: int) -> Episode:
    """An episode of doodles with so many shots and tasks."""
    train = replace(recipe.train, shots=(shots,), tasks_per_batch=tasks)
    source = doodle_tasks(recipe.model.image_size, recipe.model.channels).train
    return Episodes([source], [1.0], train).draw(0)


@contextlib.contextmanager
def contiguous() -> Iterator[None]:
    """Inside, channels-last memory is the usual one: networks are made and run as if nobody had asked for it."""
    with mock.patch.object(torch, "channels_last", torch.contiguous_format):
        yield
