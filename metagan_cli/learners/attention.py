"""The attention learner: set attention emits the whole state at once, learned inner steps refine it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.learners.base import Learner, seen
from metagan_cli.learners.game import InnerGame
from metagan_cli.learners.steps import CRITIC_RATE, RATED_STEPS, fade, unit
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator.modulation import each, modulation_sizes
from metagan_cli.networks.layers import Attention, start_small
from metagan_cli.networks.state import TaskState

RATE, BLIND_RATE = 0.01, 0.1  # root mean square of an inner step at first; where steps alone tell tasks apart
UPDATES = 64  # earlier tasks' updates that are remembered


class AttentionLearner(Learner):
    """Feed-forward first; then each inner step follows the unit gradient of the inner game, as far as was learned.

    A step's direction is the gradient itself, scaled by a learned size (Meta-SGD, Li et al. 2017), and what a small network makes
    of it (a learned optimiser, Andrychowicz et al. 2016). That network attends to the gradients by way of each sample, as a set,
    and to a memory of updates that served earlier tasks. The outer loss, to which the gradients are constants (first order),
    decides about all of it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.feed_forward = config.feed_forward
        modulation, hidden = sum(modulation_sizes(config)), config.learner_width
        # step sizes are learned for the first inner steps; later ones use the last
        rate = RATE if config.feed_forward else BLIND_RATE
        self.code_rate = nn.Parameter(torch.full((RATED_STEPS,), rate))
        self.gains_rate = nn.Parameter(torch.full((RATED_STEPS,), rate))
        self.read = nn.Linear(2 * config.tokens + modulation, hidden)
        self.stage = nn.Parameter(torch.zeros(RATED_STEPS, hidden))
        self.compare, self.recall = Attention(hidden), Attention(hidden)
        self.updates = nn.Parameter(torch.empty(1, UPDATES, hidden).normal_())
        self.write = nn.Linear(hidden, config.tokens + modulation)
        for layer in (self.compare.out, self.recall.out, self.write):
            start_small(layer, 1e-3)

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        """What the encoder sees is the first state already."""
        return seen(nets, support)

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        """A step along the unit gradient and along what the network makes of it."""
        turn = game.play(nets, state, rng)
        code, modulation, critic_modulation = unit(turn.code), unit(turn.modulation), unit(turn.critic_modulation)
        rated, size = min(step, RATED_STEPS - 1), fade(step)
        read = self._read(state, code[:, None], modulation[:, None]) + self.stage[rated]
        read = self.compare(read, self._read(state, unit(turn.code_each, 2), unit(turn.modulation_each, 2)))
        read = F.leaky_relu(self.recall(read, self.updates), 0.2)[:, 0]
        code_move, modulation_move = self.write(read).split([code.shape[1], modulation.shape[1]], 1)
        return state.moved(
            state.code - size * (self.code_rate[rated] * code + code_move),
            state.modulation - size * (self.gains_rate[rated] * modulation + modulation_move),
            state.critic_modulation - size * CRITIC_RATE * critic_modulation,
        )

    def _read(self, state: TaskState, code: Tensor, modulation: Tensor) -> Tensor:
        """Gradients of the code [B, N, D] and the modulation [B, N, G], beside the code they are at: [B, N, H]."""
        return torch.as_tensor(self.read(torch.cat([each(state.code, code.shape[1]), code, modulation], 2)))
