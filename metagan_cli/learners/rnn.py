"""The recurrent learner: two learned optimizers, one for the min and one for the max player (Twin-L2O: Shen et al. 2021)."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.learners.base import LearnedStart
from metagan_cli.learners.game import InnerGame
from metagan_cli.learners.steps import stride
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.layers import start_small
from metagan_cli.networks.state import TaskState

HIDDEN = 24
RATE = 0.05  # of the Adam step that an untrained optimizer takes; times `longer`
BETAS = (0.5, 0.9)
UNROLL = 3  # inner steps that the outer loss is sent through
WORSE = 0.1  # where the own loss rose by more than this, the step is Adam's alone
SMALLEST = 10.0  # gradients below exp(-SMALLEST) count as nothing
FEATURES = 8

Memory = tuple[Tensor, Tensor, Tensor, Tensor]  # both moments [B, X], and the LSTM's hidden and cell [B * X, HIDDEN]


class RecurrentLearner(LearnedStart):
    """An LSTM of its own for each player reads every entry's gradient and the losses, and writes that entry's move.

    Both start as Adam: what the LSTM writes is added to Adam's step, and small at first. The outer loss goes back through
    UNROLL steps at most. Where a player's loss rose, its learned part is left out for a step (a safeguard: Heaton et al. 2023).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.down, self.up = LearnedOptimizer(stride(config)), LearnedOptimizer(stride(config))

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        """A step that both players' optimizers write."""
        if step and step % UNROLL == 0:
            state = replace(state.detached(), tokens=state.tokens)  # which no step changes: the encoder still learns by them
        turn = game.play(nets, state, rng)
        losses = torch.stack([turn.downward, turn.upward], 1)
        before, *memory = state.memory or (
            losses,
            *self.down.start(state.code, state.modulation),
            *self.up.start(state.critic_modulation),
        )
        rose = losses > before + WORSE
        sizes = [state.code.shape[1], state.modulation.shape[1]]
        moves, down = self.down(torch.cat([turn.code, turn.modulation], 1), losses, memory[:4], step, rose[:, 0])
        critic_modulation, up = self.up(turn.critic_modulation, losses.flip(1), memory[4:], step, rose[:, 1])
        code, modulation = moves.split(sizes, 1)
        moved = state.moved(state.code - code, state.modulation - modulation, state.critic_modulation - critic_modulation)
        return moved.remembering(losses, *down, *up)


class LearnedOptimizer(nn.Module):
    """One player's optimizer, the same for all entries of its state (Andrychowicz et al. 2016)."""

    def __init__(self, longer: float = 1.0) -> None:
        super().__init__()
        self.rate = longer * RATE
        self.cell, self.write = nn.LSTMCell(FEATURES, HIDDEN), nn.Linear(HIDDEN, 2)
        start_small(self.write, 1e-2)

    def start(self, *parts: Tensor) -> Memory:
        """An empty memory for a state of these parts [B, .]."""
        like = torch.cat(parts, 1).detach()
        hidden = like.new_zeros(like.numel(), HIDDEN)
        return torch.zeros_like(like), torch.zeros_like(like), hidden, hidden

    def forward(self, gradient: Tensor, losses: Tensor, memory: list[Tensor], step: int, rose: Tensor) -> tuple[Tensor, Memory]:
        """What to subtract from the state [B, X], and the new memory; of gradients [B, X], own and other loss [B, 2]."""
        first, second, hidden, cell = memory
        first = BETAS[0] * first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * second + (1 - BETAS[1]) * gradient.square()
        mean, deviation = first / (1 - BETAS[0] ** (step + 1)), (second / (1 - BETAS[1] ** (step + 1))).sqrt() + 1e-8
        adam = mean / deviation
        size, sign = preprocess(gradient)
        seen = [size, sign, *preprocess(mean), gradient / deviation, adam, *(x[:, None].expand_as(adam) for x in losses.T)]
        hidden, cell = self.cell(torch.stack(seen, 2).flatten(0, 1), (hidden, cell))
        move, scale = self.write(hidden).view(*adam.shape, 2).unbind(2)
        learned = torch.where(rose[:, None], 0.0, 1.0)
        return self.rate * (adam * torch.exp(learned * scale.clamp(-5, 3)) + learned * move), (first, second, hidden, cell)


def preprocess(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """A gradient as the size of its logarithm and its sign, each in [-1, 1] (Andrychowicz et al. 2016, appendix A)."""
    size = gradient.abs().clamp(min=math.exp(-SMALLEST)).log() / SMALLEST
    large = size > -1
    return torch.where(large, size, -1.0), torch.where(large, gradient.sign(), gradient * math.exp(SMALLEST))
