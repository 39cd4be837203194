"""The gradient learners: a learned first state, and plain inner gradient steps from it.

MAML (Finn et al. 2017) sends the outer loss through the inner gradients, which takes second derivatives, perhaps after a share
of outer steps without (derivative-order annealing: Antoniou et al. 2019); FOMAML takes them for constants; Meta-SGD (Li et al.
2017) also learns how far each entry of the state moves, here in first order as well: in equal time it then takes twice the outer
steps (docs/experiments.md).
"""

import torch
from torch import nn

from metagan_cli.config import ModelConfig
from metagan_cli.learners.base import LearnedStart
from metagan_cli.learners.game import InnerGame
from metagan_cli.learners.steps import CRITIC_RATE, evened, fade, stride, unit
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.state import TaskState

RATE = 0.05  # about the root mean square of an inner step
SHORT = 0.06  # of that a step of MAML goes: second derivatives of five full steps explode


class GradientLearner(LearnedStart):
    """Inner steps along gradients of the inner game whose entries are evened out, both players at once."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.second_order = config.algorithm == "maml"
        learned = config.algorithm == "meta-sgd"
        share = SHORT if self.second_order and config.feed_forward else stride(config)
        self.code_rate = nn.Parameter(torch.full_like(self.code, share), requires_grad=learned)
        self.gains_rate = nn.Parameter(torch.full_like(self.gains, share), requires_grad=learned)

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        """A step along the evened gradient."""
        turn = game.play(nets, state, rng, self.second_order and torch.is_grad_enabled())
        size = fade(step)
        return state.moved(
            state.code - size * RATE * self.code_rate * evened(turn.code),
            state.modulation - size * RATE * self.gains_rate * evened(turn.modulation),
            state.critic_modulation - size * CRITIC_RATE * unit(turn.critic_modulation),
        )
