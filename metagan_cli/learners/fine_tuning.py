"""Adapting deeper than the state: the inner game with the generator's own weights opened, for folders unlike all training.

What opens is chosen by depth: the modulation (what turns codes and chance into scales, shifts, bends and tints), then all of
the generator. A generator fine-tuned on one folder soon copies it (Mo et al. 2020 freeze layers for that reason), so some of
the folder's images are held out: each stretch of steps has to make them likelier under the samples' energy score, a proper
score of the distribution that the samples come from, or it is undone and nothing more is opened.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from metagan_cli.config import DEPTHS
from metagan_cli.learners.base import Learner
from metagan_cli.learners.game import InnerGame
from metagan_cli.learners.steps import CRITIC_RATE, unit
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator.repaint import REACH
from metagan_cli.networks.state import TaskState, draw_latents
from metagan_cli.networks.weights import flat, put
from metagan_cli.objectives.energy_distance import by_features, energy_of_observation
from metagan_cli.rng import generator_for

MODULATION = (
    "map.",
    "sway.",
    "feel.",
    "meet.",
    "lend.",
    "flow.",
    "affine.",
    ".scale_first.",
    ".scale_second.",
    ".noise",
)  # names of what opens first
RATES = {"modulation": 2e-4, "all": 1e-4}  # of Adam
HELD_OUT = 5  # one in so many support images is held out, one at least
FEWEST = 2  # images over the game's own fewest: one held out at least, and one more to play with
STRETCH, MOST = 6, 5  # steps between two looks at the held-out images; stretches of a depth
LOOKS = 24  # samples that they are looked at with


@dataclass(frozen=True)
class Deepened:
    """Networks whose generator is one folder's own, and how it came about."""

    nets: Networks
    depth: str  # what stayed open: "state" where nothing helped
    steps: int  # taken with weights open
    held_out: int  # images
    scores: tuple[float, ...]  # energy scores of the held-out images: before, and after each stretch; lower is likelier

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the networks."""
        scores = [round(score, 4) for score in self.scores]
        return {"depth": self.depth, "steps": self.steps, "held_out": self.held_out, "scores": scores}


def can_deepen(game: InnerGame, learner: Learner, shots: int) -> bool:
    """Whether a folder of so many images can spare some for holding out, and the learner does not open everything itself."""
    return shots >= game.fewest + FEWEST and not learner.opens_weights


def deepen(
    nets: Networks,
    learner: Learner,
    support: Tensor,
    game: InnerGame,
    deepest: str,
    seed: int,
    out_of_time: Callable[[], bool] = lambda: False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Deepened:
    """Opens one depth after another up to the deepest, on support [K, C, S, S], while its held-out images say that it helps.

    `report` is told how many steps are taken, of how many at most.
    """
    held = max(1, len(support) // HELD_OUT)
    own = nets.with_parts(generator=copy.deepcopy(nets.generator).requires_grad_(False))
    with torch.no_grad():
        state = learner.begin(own, support[None, held:])
    scores, reached, steps = [_score(own, state, support[:held], game)], "state", 0
    depths = DEPTHS[1 : DEPTHS.index(deepest) + 1]
    for depth in depths:
        parameters = [p for name, p in own.generator.named_parameters() if depth == "all" or _modulates(name)]
        adam = torch.optim.Adam(parameters, RATES[depth], betas=(0.0, 0.99))
        for _ in range(MOST):
            if out_of_time():
                return Deepened(own, reached, steps, held, tuple(scores))
            best = flat(own.generator)
            for _ in range(STRETCH):
                state = _step(own, state, parameters, adam, game, generator_for(seed, "deepen", steps))
                steps += 1
                report(steps, len(depths) * MOST * STRETCH)
            scores.append(_score(own, state, support[:held], game))
            if scores[-1] >= min(scores[:-1]):
                put(own.generator, best)
                break
            reached = depth
        if reached != depth:
            break
    return Deepened(own, reached, steps, held, tuple(scores))


def _modulates(name: str) -> bool:
    return any(part in f".{name}" for part in MODULATION)


def _step(
    nets: Networks,
    state: TaskState,
    parameters: list[nn.Parameter],
    adam: torch.optim.Adam,
    game: InnerGame,
    rng: torch.Generator,
) -> TaskState:
    """One step of the inner game: down for the open weights, up for the discriminator's state."""
    with torch.enable_grad():
        for parameter in parameters:
            parameter.requires_grad_(True)
        critic_modulation = state.critic_modulation.detach().requires_grad_()
        found = game.losses(nets, replace(state, critic_modulation=critic_modulation), rng)
        (up,) = torch.autograd.grad(found.upward.sum(), critic_modulation, retain_graph=True)
        gradients = torch.autograd.grad(found.downward.sum(), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
            parameter.requires_grad_(False)
        adam.step()
    return replace(state, critic_modulation=state.critic_modulation - CRITIC_RATE * unit(up))


@torch.no_grad()
def _score(nets: Networks, state: TaskState, held: Tensor, game: InnerGame) -> float:
    """The energy score of held-out images, by what the game compares with, under the same latents every time."""
    latents = draw_latents(1, LOOKS, nets.generator.latent_sizes, generator_for(0, "held-out looks"))
    spread = (torch.arange(LOOKS)[None] + 0.5) / LOOKS  # each support image as often as any other
    fake = nets.generator(replace(latents, pick=spread).to(held.device), state)[0] / REACH
    support = state.bases
    score = game.energy * energy_of_observation(held[None], fake, support)
    if game.perception and nets.perceiver is not None:
        score = score + game.perception * energy_of_observation(held[None], fake, support, by_features(nets.perceiver.describe))
    return float(score)
