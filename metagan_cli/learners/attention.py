"""The attention learner: set attention emits the whole state at once, inner adversarial steps refine it."""

import torch
from torch import Tensor, nn

from metagan_cli.adversarial import unit
from metagan_cli.config import ModelConfig
from metagan_cli.learners.base import InnerGame, Learner
from metagan_cli.networks.bundle import Networks
from metagan_cli.state import TaskState

RATED_STEPS = 4  # step sizes are learned for the first inner steps; later ones use the last, falling as 1 / step
JUDGE_RATE = 0.02


class AttentionLearner(Learner):
    """Feed-forward first; each inner step follows the unit gradient with a learned step size (Meta-SGD, Li et al. 2017).

    The step sizes are of either sign and start small: the outer loss, to which the gradients themselves are
    constants (first order), decides how far a step may go.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.code_rate = nn.Parameter(torch.full((RATED_STEPS,), 0.01))
        self.gains_rate = nn.Parameter(torch.full((RATED_STEPS,), 0.01))

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        tokens, code = nets.encoder(support)
        gains = support.new_zeros(len(support), nets.generator.gains)
        judge = support.new_zeros(len(support), nets.discriminator.judges)
        return TaskState(support, tokens, code, gains, judge)

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        code, gains, judge = (unit(g) for g in game.gradients(nets, state, rng))
        rated = min(step, RATED_STEPS - 1)
        fade = RATED_STEPS / (step + 1) if step >= RATED_STEPS else 1.0
        return state.moved(
            state.code - fade * self.code_rate[rated] * code,
            state.gains - fade * self.gains_rate[rated] * gains,
            state.judge - fade * JUDGE_RATE * judge,
        )
