"""Reptile over all weights (Nichol et al. 2018; FIGR: Clouatre & Demers 2019).

The inner loop trains a private copy of all networks on one task's images; the outer loop moves the shared weights towards
what those copies became. There is nothing else: no outer critic and no learned optimizer. Inner steps go along evened
gradients, as those of the other gradient learners; where the game is Wasserstein's they are FIGR's: SGD, with WGAN-GP's penalty.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from metagan_cli.adversarial import evened, gradient_penalty
from metagan_cli.config import ModelConfig
from metagan_cli.learners.base import InnerGame, Learner, Round, seen
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.weights import flat, put
from metagan_cli.state import PARTS, TaskState, state_of

RATE = 3e-4  # about the root mean square of an inner step in each tensor of weights
FIGR_RATE = 1e-3  # of SGD, in both players
CALM = 4  # times as many packs as adaptations by other learners look at: chance moves all weights further than it moves a state
PENALTY = 10.0  # weight of the gradient penalty, where the game is Wasserstein's


class ReptileLearner(Learner):
    """A task's state holds the generator's weights themselves, and what its own encoder sees in the support."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.as_figr = config.inner_loss == "wasserstein"
        self.calm = 1 if self.as_figr else CALM

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        return seen(nets, support)

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        copies = self.train_copies(nets, state.bases, 1, game, rng, state.memory)
        whole = state_of({name: torch.cat([c.state.tensors()[name] for c in copies]) for name in PARTS})
        return whole.remembering(*(torch.stack(vectors) for vectors in zip(*(c.weights for c in copies), strict=True)))

    def train_copies(
        self,
        nets: Networks,
        support: Tensor,
        steps: int,
        game: InnerGame,
        rng: torch.Generator,
        start: tuple[Tensor, ...] = (),
    ) -> list["TrainedCopy"]:
        """For each task a copy of the networks, trained for `steps` on its images [B, K, C, S, S].

        `start` holds both sides' weights [B, .] to go on from, where they are not the shared ones.
        """
        vectors = start or [flat(part).expand(len(support), -1) for part in sides(nets)]
        own, copies = copy.deepcopy(nets), []
        for task in range(len(support)):
            for part, vector in zip(sides(own), vectors, strict=True):
                put(part, vector[task])
            images = support[task : task + 1]
            for _ in range(steps):
                last = self._train(own, images, game, rng)
            with torch.no_grad():
                adapted = replace(seen(own, images), weights=flat(own.generator)[None])
            copies.append(TrainedCopy(adapted, tuple(flat(part) for part in sides(own)), last))
        return copies

    def _train(self, own: Networks, support: Tensor, game: InnerGame, rng: torch.Generator) -> Round:
        """One step of both players in place: at once, or, as in FIGR, the min player's after the max player's."""
        down, up = sides(own)
        with torch.enable_grad():
            found = game.losses(own, seen(own, support), rng)
            if self.as_figr:
                share = torch.rand(found.real.shape[:2], generator=rng).to(support.device)
                penalty = gradient_penalty(lambda x: own.discriminator(x, found.bases), found.real, found.fake.detach(), share)
                _descend(up, _gradients(up, found.upward.sum() + PENALTY * penalty), FIGR_RATE)
                _descend(down, _gradients(down, game.losses(own, seen(own, support), rng).downward.sum()), FIGR_RATE)
            else:
                upward = _gradients(up, found.upward.sum(), again=True)
                downward = _gradients(down, found.downward.sum())
                _descend(up, [evened(g.reshape(1, -1)) for g in upward], RATE)
                _descend(down, [evened(g.reshape(1, -1)) for g in downward], RATE)
        return found


@dataclass(frozen=True)
class TrainedCopy:
    """What one task made of the shared weights."""

    state: TaskState
    weights: tuple[Tensor, ...]  # of both sides, as vectors
    last: Round  # of its inner game, before the last step


def sides(nets: Networks) -> tuple[nn.Module, nn.Module]:
    """The min player's networks and the max player's."""
    return nn.ModuleList([nets.encoder, nets.generator]), nets.discriminator


def _gradients(part: nn.Module, loss: Tensor, again: bool = False) -> tuple[Tensor, ...]:
    """Of a loss whose graph serves `again`, or is freed."""
    return torch.autograd.grad(loss, list(part.parameters()), retain_graph=again, materialize_grads=True)


@torch.no_grad()
def _descend(part: nn.Module, gradients: Sequence[Tensor], rate: float) -> None:
    for parameter, gradient in zip(part.parameters(), gradients, strict=True):
        parameter.sub_(rate * gradient.view_as(parameter))
