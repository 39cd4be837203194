"""The interface of all meta-learners."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.learners.game import InnerGame, Round, inner_game
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator.modulation import modulation_sizes
from metagan_cli.networks.state import TaskState


class Learner(nn.Module, ABC):
    """Turns a support set into a task state; its own weights are shared by all tasks."""

    second_order = False  # whether the outer loss goes through the inner gradients as well
    packs_factor = 1  # how many times the usual packs an adaptation looks at
    opens_weights = False  # whether a task has weights of its own: the outer loop then moves the shared ones towards them
    feed_forward = False  # whether the state is good before any inner step, so that meta-training may leave them out

    @abstractmethod
    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        """The state of support [B, K, C, S, S] before any inner step."""

    @abstractmethod
    def refine(self, nets: Networks, state: TaskState, step: int, game: "InnerGame", rng: torch.Generator) -> TaskState:
        """The state after inner adversarial step number `step`, on the state's own support images."""

    def adapt(self, nets: Networks, support: Tensor, steps: int, game: "InnerGame", rng: torch.Generator) -> TaskState:
        """The first state, then `steps` inner steps; fewer than `game.fewest` shots take none."""
        state = self.begin(nets, support)
        for step in range(game.allowed(steps, support.shape[1])):
            state = self.refine(nets, state, step, game, rng)
        return replace(state, memory=())

    def task_weights(
        self, nets: Networks, images: Tensor, steps: int, game: "InnerGame", rng: torch.Generator
    ) -> list["TaskWeights"]:
        """For each task what `steps` inner steps on its images [B, N, C, S, S] make of all weights, where a task has its own."""
        raise NotImplementedError


@dataclass(frozen=True)
class TaskWeights:
    """What one task made of the shared weights."""

    state: TaskState
    weights: tuple[Tensor, ...]  # of both players, as vectors
    last: Round  # of its inner game, before the last step


def players(nets: Networks) -> tuple[nn.Module, nn.Module]:
    """The min player's networks and the max player's."""
    return nn.ModuleList([nets.encoder, nets.generator]), nets.discriminator


def seen(nets: Networks, support: Tensor) -> TaskState:
    """What the encoder makes of support [B, K, C, S, S], with nothing adapted yet; nothing, where all is left to inner steps."""
    tokens, code = nets.encoder(support)
    if not nets.config.feed_forward:
        tokens, code = torch.zeros_like(tokens), torch.zeros_like(code)
    modulation, critic_modulation, weights = (
        support.new_zeros(len(support), n) for n in (nets.generator.modulation_size, nets.discriminator.modulation_size, 0)
    )
    ruled, hand = nets.ruled(support), nets.hand_of(support)
    return TaskState(support, tokens, code, modulation, critic_modulation, weights, ruled, hand)


class LearnedStart(Learner):
    """A learner whose first state is the same for every task, and learned (Finn et al. 2017).

    What a task's images look like still reaches the generator as tokens: it has to know the image that a sample starts from.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.code = nn.Parameter(0.02 * torch.empty(config.tokens).normal_())
        self.gains = nn.Parameter(torch.zeros(sum(modulation_sizes(config))))

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        """The learned state, the same for every task, beside what the encoder sees."""
        tasks = len(support)
        return replace(seen(nets, support), code=self.code.expand(tasks, -1), modulation=self.gains.expand(tasks, -1))


def adaptation_game(config: ModelConfig, learner: Learner, packs: int) -> "InnerGame":
    """The same as an adaptation by this learner plays it, where the usual number of packs an inner step is `packs`."""
    return inner_game(config, packs * learner.packs_factor)
