"""The attention learner: set attention emits the whole state at once, learned inner steps refine it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.adversarial import unit
from metagan_cli.config import ModelConfig
from metagan_cli.learners.base import InnerGame, Learner
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator import gain_sizes
from metagan_cli.networks.layers import start_small
from metagan_cli.state import TaskState

RATED_STEPS = 4  # step sizes are learned for the first inner steps; later ones use the last, falling as 1 / step
HIDDEN = 192
JUDGE_RATE = 0.02


class AttentionLearner(Learner):
    """Feed-forward first; then each inner step follows the unit gradient of the inner game, as far as was learned.

    A step's direction is the gradient itself, scaled by a learned size (Meta-SGD, Li et al. 2017), and what a small
    network makes of gradient and state (a learned optimiser, Andrychowicz et al. 2016). The outer loss, to which the gradients
    are constants (first order), decides about both.
    """

    feed_forward = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        gains = sum(gain_sizes(config))
        self.code_rate = nn.Parameter(torch.full((RATED_STEPS,), 0.01))
        self.gains_rate = nn.Parameter(torch.full((RATED_STEPS,), 0.01))
        self.read = nn.Linear(2 * config.tokens + gains, HIDDEN)
        self.write = nn.Linear(HIDDEN, config.tokens + gains)
        self.stage = nn.Parameter(torch.zeros(RATED_STEPS, HIDDEN))
        start_small(self.write, 1e-3)

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        tokens, code = nets.encoder(support)
        gains = support.new_zeros(len(support), nets.generator.gains)
        judge = support.new_zeros(len(support), nets.discriminator.judges)
        return TaskState(support, tokens, code, gains, judge, support.new_zeros(len(support), 0))

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        turn = game.play(nets, state, rng)
        code, gains, judge = unit(turn.code), unit(turn.gains), unit(turn.judge)
        rated = min(step, RATED_STEPS - 1)
        fade = RATED_STEPS / (step + 1) if step >= RATED_STEPS else 1.0
        seen = F.leaky_relu(self.read(torch.cat([state.code, code, gains], 1)) + self.stage[rated], 0.2)
        code_move, gains_move = self.write(seen).split([code.shape[1], gains.shape[1]], 1)
        return state.moved(
            state.code - fade * (self.code_rate[rated] * code + code_move),
            state.gains - fade * (self.gains_rate[rated] * gains + gains_move),
            state.judge - fade * JUDGE_RATE * judge,
        )
